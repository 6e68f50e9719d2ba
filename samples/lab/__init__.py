"""Crash lab: real HAProxy processes, made to die in known ways.

Every sample in this folder was made by the code here.  ``python -m samples.lab NAME``
(from the top of the checkout) makes sample NAME again; see ``samples/README.md``.
"""
