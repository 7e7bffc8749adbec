"""The river of posts: payloads as they came, the spool, and Delta tables of posts that are only ever appended to."""

from talkworthy.archive.arriving import Unfit, unfit
from talkworthy.archive.columns import ARRIVING, CHANGED, STORED, seconds_of
from talkworthy.archive.durable import Damaged, Locked
from talkworthy.archive.erasure import Receipt
from talkworthy.archive.keeper import Keeper, Kept, Pace, Retention
from talkworthy.archive.later import Recounted
from talkworthy.archive.payloads import Aside, Payload, PayloadRef, PayloadStore
from talkworthy.archive.posts import Appended, Archive, FileList, StaleRead, Stats
from talkworthy.archive.scan import Scan
from talkworthy.archive.spool import Batch, Spool, Spooled
from talkworthy.archive.table import UnknownVersion, UnreadableTable

__all__ = [
    "ARRIVING",
    "CHANGED",
    "STORED",
    "Appended",
    "Archive",
    "Aside",
    "Batch",
    "Damaged",
    "FileList",
    "Keeper",
    "Kept",
    "Locked",
    "Pace",
    "Payload",
    "PayloadRef",
    "PayloadStore",
    "Receipt",
    "Recounted",
    "Retention",
    "Scan",
    "Spool",
    "Spooled",
    "StaleRead",
    "Stats",
    "Unfit",
    "UnknownVersion",
    "UnreadableTable",
    "seconds_of",
    "unfit",
]
