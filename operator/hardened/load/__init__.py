"""The open-loop load engine: requests leave when they are scheduled, and latency counts from then on, whatever the target does.

    target.py      where the requests go          schedule.py  when each is due
    reply.py       what one reply says            connection.py  one TCP connection, one request at a time
    engine.py      a run                          recorder.py, figures.py  what it measured
    verdict.py     Passed, Failed or Invalid      report.py      the same as JSON
    arguments.py, __main__.py  as a program

Closed-loop tools wait for a reply before they send again, so an outage stops their own clock and they hardly see it.
"""
