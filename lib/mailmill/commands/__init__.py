"""Commands of the command line that are more than one call: a file each.

session   a run: its lease, its log, its record
interrupt Ctrl-C, SIGTERM, SIGHUP
streams   standard output and its like, where they are closed or full
runs      list, show and compare what was recorded
compact   join the small files of tables that grew
forget    erase a person's mail
docs      build, check and compare the documentation
score     the queue, a day's new mail, or one message
"""
