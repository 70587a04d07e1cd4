package main

import "encoding/json"

// A result and a vulnerability keep the fields that the module does not know, since an update overwrites all of them.
type result map[string]any

type vulnerability map[string]any

func parse(text []byte) ([]result, error) {
	var results []result
	err := json.Unmarshal(text, &results)
	return results, err
}

func (r result) vulnerabilities() []vulnerability {
	return objects[vulnerability](r["Vulnerabilities"])
}

func (v vulnerability) text(key string) string {
	text, _ := v[key].(string)
	return text
}

func isInternal(results []result) bool {
	for _, result := range results {
		for _, custom := range objects[map[string]any](result["CustomResources"]) {
			if custom["Type"] == resource && custom["Data"] == "internal" {
				return true
			}
		}
	}
	return false
}

func objects[T ~map[string]any](value any) []T {
	list, _ := value.([]any)
	var objects []T
	for _, item := range list {
		if object, ok := item.(map[string]any); ok {
			objects = append(objects, object)
		}
	}
	return objects
}
