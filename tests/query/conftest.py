import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # the reference evaluator lies beside the tests
