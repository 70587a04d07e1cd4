package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
	"unsafe"
)

// hostCall gives 0 where the host has an answer, and else 1. Either way the host's text is then to be read from stdin.
//
//go:wasmimport host call
func hostCall(
	binding unsafe.Pointer, bindingSize uint32,
	namespace unsafe.Pointer, namespaceSize uint32,
	operation unsafe.Pointer, operationSize uint32,
	payload unsafe.Pointer, payloadSize uint32,
) uint32

func annotationsOf(namespace string) (map[string]string, error) {
	query, err := json.Marshal(map[string]any{
		"api_version":   "v1",
		"kind":          "Namespace",
		"name":          namespace,
		"disable_cache": false,
	})
	if err != nil {
		return nil, err
	}
	text, err := callHost("kubernetes", "get_resource", query)
	if err != nil {
		return nil, err
	}
	var object struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	err = json.Unmarshal(text, &object)
	return object.Metadata.Annotations, err
}

func callHost(namespace, operation string, payload []byte) ([]byte, error) {
	parts := [][]byte{[]byte("kubewarden"), []byte(namespace), []byte(operation), payload}
	status := hostCall(
		unsafe.Pointer(unsafe.SliceData(parts[0])), uint32(len(parts[0])),
		unsafe.Pointer(unsafe.SliceData(parts[1])), uint32(len(parts[1])),
		unsafe.Pointer(unsafe.SliceData(parts[2])), uint32(len(parts[2])),
		unsafe.Pointer(unsafe.SliceData(parts[3])), uint32(len(parts[3])),
	)
	runtime.KeepAlive(parts)
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, err
	}
	if status != 0 {
		return nil, errors.New(string(text))
	}
	return text, nil
}
