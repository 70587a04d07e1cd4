# An admission policy that looks at the cluster: the host of an Ingress belongs to the Ingress that had it first.
package kubernetes.admission

import rego.v1

main := {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}

response := {"uid": input.request.uid, "allowed": true} if count(deny) == 0

response := {"uid": input.request.uid, "allowed": false, "status": {"message": concat(", ", sort(deny))}} if count(deny) > 0

deny contains message if {
	some rule in input.request.object.spec.rules
	some namespace, name
	ingress := data.kubernetes.ingresses[namespace][name]
	not is_reviewed(namespace, name)
	some other in ingress.spec.rules
	other.host == rule.host
	message := sprintf("the host %v belongs to the Ingress %v in the namespace %v", [rule.host, name, namespace])
}

is_reviewed(namespace, name) if {
	input.request.namespace == namespace
	input.request.name == name
}
