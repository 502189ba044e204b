"""State that is kept in S3 or in PostgreSQL, for processes whose disk does not outlive them.

The database is a copy in a folder of this process. Each commit goes out, as the bytes that SQLite's write-ahead log has
grown by, before it counts. docs/decisions/0019 says why, and what each part promises.
"""
