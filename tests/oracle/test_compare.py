import pytest

from tests.oracle.compare import assert_same_rows, assert_same_tables
from tests.oracle.examples import call, tables

OF_DAY = tables(call("c1", cost=0.1, durationSeconds=7, agentId=7), call("c2", cost="x", status="?"))


def changed(table, index, **columns):
    return [row | columns if at == index else row for at, row in enumerate(OF_DAY[table])]


def test_rows_are_the_same_as_themselves_but_for_the_rounding_of_sums_and_the_wording():
    assert_same_tables(OF_DAY, OF_DAY)
    assert_same_rows(changed("calls", 0, cost=0.1 * (1 + 1e-12)), OF_DAY["calls"], "calls")
    assert_same_rows(changed("data_issues", 0, message="otherwise"), OF_DAY["data_issues"], "data_issues")


@pytest.mark.parametrize(
    ("table", "rows", "said"),
    [
        ("calls", changed("calls", 0, cost=0.10001), r"\('c1',\): cost is 0.10001, expected 0.1"),
        ("calls", changed("calls", 0, cost=None), "cost is None, expected 0.1"),
        ("calls", changed("calls", 0, cost=float("nan")), "cost is nan"),
        ("calls", changed("calls", 0, version_count=1.0), "version_count is 1.0, expected 1"),
        ("calls", changed("calls", 0, version_count=True), "version_count is True, expected 1"),
        ("calls", OF_DAY["calls"][::-1], "not sorted"),
        ("calls", OF_DAY["calls"][:1], r"missing: \[\('c2',\)\]"),
        ("calls", [*OF_DAY["calls"], OF_DAY["calls"][1]], r"not expected: \[\('c2',\)\]"),
        ("calls", [dict(reversed(row.items())) for row in OF_DAY["calls"]], "has columns"),
        ("data_issues", changed("data_issues", 0, message=" "), "message is ' '"),
        ("data_issues", changed("data_issues", 0, raw_value="8"), "raw_value is '8', expected '7'"),
    ],
)
def test_a_difference_is_reported(table, rows, said):
    with pytest.raises(AssertionError, match=said):
        assert_same_rows(rows, OF_DAY[table], table)


def test_a_missing_table_is_reported():
    with pytest.raises(AssertionError, match="tables are"):
        assert_same_tables({"calls": OF_DAY["calls"]}, OF_DAY)
