# A Gatekeeper policy that looks at the cluster: the host of an Ingress belongs to the Ingress that had it first.
package k8suniqueingresshost

import rego.v1

violation contains {"msg": msg} if {
	some rule in input.review.object.spec.rules
	some namespace, name
	ingress := data.inventory.namespace[namespace]["networking.k8s.io/v1"].Ingress[name]
	not is_reviewed(namespace, name)
	some other in ingress.spec.rules
	other.host == rule.host
	msg := sprintf("the host %v belongs to the Ingress %v in the namespace %v", [rule.host, name, namespace])
}

is_reviewed(namespace, name) if {
	input.review.namespace == namespace
	input.review.name == name
}
