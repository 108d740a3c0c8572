"""What a run did, for people and machines that were not there.

logs     one JSON object a line where nobody watches
record   `runs/ID.json`: configuration, versions, tables, figures, memory, time and cost
reports  list, show and compare records
"""
