"""Trees of studies measured in many processes, here or on a cluster, and never twice.

``tasks`` says what travels to a process and comes back; ``studies`` is the one function
that measures a task; ``isolation`` runs it in a process of its own, ``study_process`` is
that process. ``pools`` gives tasks to threads here or to a Dask cluster; ``journal``
keeps what is done; ``running`` joins them, and makes the tables of what is done.
"""

from osteotrace.batch.progress import Progress
from osteotrace.batch.run import Run
from osteotrace.batch.running import measure_tree

__all__ = ["Progress", "Run", "measure_tree"]
