"""The nouns, as frozen values: what the other rooms pass to each other. Nothing here does anything outside."""
