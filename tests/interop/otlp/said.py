"""Asks what a collector wrote: said.py FILE 'PYTHON EXPRESSION'; its names are spans and metrics (lists of dicts) and points(name).
Ends with 0 if the expression is true, and prints what it is."""
import json
import sys

with open(sys.argv[1]) as file:
    lines = [json.loads(line) for line in file if line.endswith("\n")]
spans = [line for line in lines if line["signal"] == "span"]
metrics = [line for line in lines if line["signal"] == "metric"]


def points(name):
    return [point for metric in metrics if metric["name"] == name for point in metric["points"]]


result = eval(f"({sys.argv[2]})", {"spans": spans, "metrics": metrics, "points": points})
print(result)
sys.exit(0 if result else 1)
