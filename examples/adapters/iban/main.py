"""An adapter in Python: reads one line of JSON, writes lines of JSON."""

import json
import sys

request = json.loads(sys.stdin.readline())


def say(line):
    print(json.dumps(line))


iban = "".join(request["inputs"]["iban"].split()).upper()
digits = "".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])
say({"log": f"checks {iban[:4]}…"})
if int(digits) % 97 == 1:
    grouped = " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))
    say({"answer": {"iban": grouped, "country": iban[:2]}})
else:
    say({"error": {"code": "IBAN_WRONG", "message": "the check digits do not fit", "variables": {"iban": iban}}})
