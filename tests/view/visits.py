"""What holds for every page that a browser has opened."""

from typing import Any


def check_quiet(browser: Any) -> None:
    """That the page said nothing on the console and loaded nothing."""
    assert [entry["message"] for entry in browser.get_log("browser")] == [], "the console has to stay empty"
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in fetched if not name.startswith("data:")] == [], "nothing may be loaded"
