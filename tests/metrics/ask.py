"""Asks a Prometheus what a dashboard asks. Arguments: its address, and the dashboard."""

import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

address, dashboard = sys.argv[1:]
# What has no value while nothing was ever heard.
MAY_BE_EMPTY = (
    "whatsdown_clock_lag_seconds",
    "whatsdown_source_lag_seconds",
    "topk(10, whatsdown_reports_per_minute)",
    "whatsdown_service_down and",
)


def ask(expression):
    query = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"{address}/api/v1/query?{query}", timeout=5) as answer:
        return json.load(answer)["data"]["result"]


def soon(expression):
    """Its answer once there is one, or after a while the empty one."""
    for _ in range(40):
        try:
            found = ask(expression)
        except urllib.error.HTTPError as refused:
            sys.exit(f"refused: {expression}: {refused.read().decode()}")
        except OSError:
            found = []
        if found:
            return found
        time.sleep(0.5)
    return []


if soon('up{job="whatsdown"} == 1') == []:
    sys.exit("Prometheus reads nothing")
passed = failed = 0
with open(dashboard, encoding="utf-8") as file:
    panels = json.load(file)["panels"]
for panel in panels:
    for target in panel["targets"]:
        # Grafana puts the range that is looked at.
        expression = target["expr"].replace("$__range", "1h")
        legend = re.findall(r"{{(\w+)}}", target.get("legendFormat", ""))
        found = ask(expression) if expression.startswith(MAY_BE_EMPTY) else soon(expression)
        named = all(label in series["metric"] for series in found for label in legend)
        if named and (found or expression.startswith(MAY_BE_EMPTY)):
            passed += 1
        else:
            failed += 1
            print(f"FAILED: {panel['title']}: {expression} gives {found[:2]}, legend {legend}")
rules = json.load(urllib.request.urlopen(f"{address}/api/v1/rules", timeout=5))["data"]["groups"]
for rule in (rule for group in rules for rule in group["rules"]):
    if rule["health"] == "err":
        failed += 1
        print(f"FAILED: the rule {rule['name']}: {rule.get('lastError')}")
    else:
        passed += 1
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
