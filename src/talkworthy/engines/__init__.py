"""Analysis of a whole snapshot, on this machine or on many: one room that may be deleted, and nothing else breaks.

The posts are sorted by uid and cut into pieces; an engine has each piece annotated somewhere, once or several times;
the parts are put together again in order. Ray and Spark are extras: `pip install 'talkworthy[ray]'`.
"""

from talkworthy.engines.running import ENGINES, Analysed, NoEngine, Plan, analyse_archive, analyse_file

__all__ = ["ENGINES", "Analysed", "NoEngine", "Plan", "analyse_archive", "analyse_file"]
