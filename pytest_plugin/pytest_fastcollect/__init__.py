"""pytest-fastcollect: runs inside the user's interpreter. Standard library and pytest only.

PYTEST_DONT_REWRITE: a run child has imported this package before pytest could rewrite its asserts,
and pytest would warn of that; there are none.
"""
