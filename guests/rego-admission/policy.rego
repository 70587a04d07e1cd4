# An admission policy that answers a review by itself: pods need an owner label, and get one as a patch where a default is
# configured.
package kubernetes.admission

import rego.v1

main := {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}

response := {"uid": input.request.uid, "allowed": false, "status": {"message": concat(", ", sort(deny))}} if count(deny) > 0

response := {"uid": input.request.uid, "allowed": true} if {
	count(deny) == 0
	count(patches) == 0
}

response := {
	"uid": input.request.uid,
	"allowed": true,
	"patchType": "JSONPatch",
	"patch": base64.encode(json.marshal(patches)),
} if {
	count(deny) == 0
	count(patches) > 0
}

deny contains "only pods are reviewed here" if input.request.kind.kind != "Pod"

deny contains message if {
	not labels.owner
	not data.default_owner
	message := sprintf("pod %q has no label \"owner\"", [input.request.object.metadata.name])
}

deny contains message if {
	some container in input.request.object.spec.containers
	container.securityContext.privileged
	message := sprintf("container %v is privileged", [container.name])
}

patches := [patch |
	not labels.owner
	patch := {"op": "add", "path": "/metadata/labels/owner", "value": data.default_owner}
]

labels := object.get(input.request.object.metadata, "labels", {})
