// A policy that is a command: the request comes from stdin, the verdict goes to stdout. It says how many replicas a
// Deployment may have.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
)

// Settings are the same whether they come with a request or alone.
type Settings struct {
	Max *int `json:"max"`
	// NamespaceAnnotation names an annotation of the namespace that takes the place of Max.
	NamespaceAnnotation string `json:"namespaceAnnotation"`
}

// Request has the parts of an AdmissionRequest that matter here.
type Request struct {
	Namespace string `json:"namespace"`
	Object    struct {
		Spec struct {
			Replicas *int `json:"replicas"`
		} `json:"spec"`
	} `json:"object"`
}

type settingsVerdict struct {
	Valid   bool   `json:"valid"`
	Message string `json:"message,omitempty"`
}

type verdict struct {
	Accepted bool   `json:"accepted"`
	Message  string `json:"message,omitempty"`
	Code     int    `json:"code,omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("usage: %s validate|validate-settings", os.Args[0])
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return fmt.Errorf("stdin cannot be read: %w", err)
	}
	switch os.Args[1] {
	case "validate":
		return validate(input)
	case "validate-settings":
		return validateSettings(input)
	default:
		return fmt.Errorf("unknown command %q: validate and validate-settings are known", os.Args[1])
	}
}

func validateSettings(input []byte) error {
	var settings Settings
	if err := json.Unmarshal(input, &settings); err != nil {
		return answer(settingsVerdict{Message: fmt.Sprintf("the settings cannot be read: %v", err)})
	}
	switch {
	case settings.Max == nil:
		return answer(settingsVerdict{Message: "`max` is missing: how many replicas may a Deployment have?"})
	case *settings.Max < 0:
		return answer(settingsVerdict{Message: fmt.Sprintf("`max` is %d, and cannot be negative", *settings.Max)})
	default:
		return answer(settingsVerdict{Valid: true})
	}
}

func validate(input []byte) error {
	var payload struct {
		Request  Request  `json:"request"`
		Settings Settings `json:"settings"`
	}
	if err := json.Unmarshal(input, &payload); err != nil {
		return fmt.Errorf("the request cannot be read: %w", err)
	}
	most, err := most(payload.Settings, payload.Request.Namespace)
	if err != nil {
		return err
	}
	// Kubernetes makes one replica where nobody says how many.
	replicas := 1
	if named := payload.Request.Object.Spec.Replicas; named != nil {
		replicas = *named
	}
	if replicas > most {
		message := fmt.Sprintf("%d replicas are too many: at most %d are allowed", replicas, most)
		return answer(verdict{Message: message, Code: 422})
	}
	return answer(verdict{Accepted: true})
}

func most(settings Settings, namespace string) (int, error) {
	most := 0
	if settings.Max != nil {
		most = *settings.Max
	}
	if settings.NamespaceAnnotation == "" {
		return most, nil
	}
	annotations, err := annotationsOf(namespace)
	if err != nil {
		return 0, fmt.Errorf("the namespace %q cannot be read: %w", namespace, err)
	}
	text, ok := annotations[settings.NamespaceAnnotation]
	if !ok {
		return most, nil
	}
	if most, err = strconv.Atoi(text); err != nil {
		return 0, fmt.Errorf("the annotation %q of the namespace %q is no number: %q", settings.NamespaceAnnotation, namespace, text)
	}
	return most, nil
}

func answer(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}
