# A Gatekeeper policy: objects need the labels that the parameters name, and some of them must look a certain way.
package k8srequiredlabels

import rego.v1

violation contains {"msg": msg, "details": {"missing_labels": missing}} if {
	provided := {label | some label, _ in input.review.object.metadata.labels}
	required := {wanted.key | some wanted in input.parameters.labels}
	missing := required - provided
	count(missing) > 0
	msg := sprintf("you must provide labels: %v", [missing])
}

violation contains {"msg": msg} if {
	some wanted in input.parameters.labels
	value := input.review.object.metadata.labels[wanted.key]
	not regex.match(wanted.allowedRegex, value)
	msg := sprintf("label <%v: %v> does not satisfy allowed regex: %v", [wanted.key, value, wanted.allowedRegex])
}
