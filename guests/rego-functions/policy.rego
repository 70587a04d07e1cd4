# Asks its host for functions of each kind, and shows what a rule that contradicts itself does.
package functions

import rego.v1

text := sprintf("%-5s|%05.1f|%v", [input.name, 3.14159, {"b", "a"}])

now := time.now_ns() == time.now_ns()

date := time.date([input.ns, "Europe/Berlin"])

parsed := time.parse_rfc3339_ns("2023-11-14T22:13:20Z")

words := regex.split(`\s+`, input.text)

replaced := regex.replace(input.text, `(\w+) (\w+)`, "$2 $1")

newer := semver.compare(input.version, "1.10.0")

patched := json.patch(input.object, [{"op": "add", "path": "/labels/a~1b", "value": {1, 2}}])

document := yaml.unmarshal(yaml.marshal({"a": [1, "yes"], "b": null}))

digest := crypto.sha256(input.text)

drawn := rand.intn("key", 1000) == rand.intn("key", 1000)

# Undefined in OPA, and so here.
wrong := time.parse_rfc3339_ns("yesterday")

traced if trace(sprintf("seen %v", [input.name]))

printed if print("name:", input.name, "and", {1, 2})

huge := numbers.range_step(0, input.upto, 1)

conflict := 1 if input.conflict

conflict := 2 if input.conflict
