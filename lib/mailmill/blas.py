"""Linear algebra in one thread a process: to be imported before NumPy, which reads this when it is loaded.

Engines bring the processes. On two cores the driver's BLAS threads waited by spinning, at the expense of the workers:
a tenth of a run's processor time. The order of a sum does not depend on the machine's cores then, either.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
