"""Storage: files, Parquet fragments, manifests and tables, on a local disk or S3 alike.

filesystems   bytes in and out, atomically; errors that name the file and the endpoint
sources       which objects to read
containers    the messages inside them: archives, mailboxes and rows, within the limits of bounded
loading       objects in, rows of the raw table out; duplicates: exact copies dropped
fragments     Parquet files written by a task, and read by row groups
fingerprint   a digest of rows that does not depend on their order or files
manifests     the one small file that makes a run of a table visible
tables        a workspace of published tables
lookup        a sorted, memory-mapped key -> value table that workers share
"""
