"""Submitting a job to Spark: what `spark-submit.sh` does, in Python that can be tested.

    request      the command line -> one frozen Request
    interpreter  a Python that runs wherever its folder is put
    environment  the archive of interpreter and libraries, and the code as a wheel; each built once, then verified
    preflight    what can be known to fail before anything is started
    connector    Hadoop's S3A for a Spark that has none
    staging      what the cluster fetches from S3
    commands     the exact argv of spark-submit, or the exact request to EMR Serverless
    running      start it, follow it, end with the job's own exit code

It runs before anything is installed on a primary node, so it needs the standard library alone; botocore (or the
`aws` command's own Python) is needed only where S3 or EMR Serverless is.
"""
