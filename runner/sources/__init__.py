"""Where revisions come from: git repositories and S3, and the cache of the bundles that were fetched from them."""
