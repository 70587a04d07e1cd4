// Adds three headers to every response: the version of the Go runtime that is inside the filter, the filter's
// configuration, and the method and path of the request, as the host's properties have them.
//
// The configuration is optional and free text, of one line.
package main

import (
	"runtime"
	"strings"
)

// stream is one request and its response.
type stream struct {
	root    uint32
	request string
}

// configurations has the configuration of each root context.
var (
	configurations = map[uint32]string{}
	streams        = map[uint32]*stream{}
)

// main is not called: the filter is a library, and the host calls what it exports.
func main() {}

//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

//go:wasmexport proxy_on_context_create
func onContextCreate(context, root uint32) {
	if root != 0 {
		streams[context] = &stream{root: root}
	}
}

//go:wasmexport proxy_on_configure
func onConfigure(root, size uint32) uint32 {
	configurations[root] = ""
	if size == 0 {
		return 1
	}
	bytes, result := configuration(size)
	text := strings.TrimSpace(string(bytes))
	if result != statusOK || strings.ContainsFunc(text, isControl) {
		log(logError, "go-headers: the configuration is not one line of text")
		return 0
	}
	configurations[root] = text
	log(logInfo, "go-headers: "+runtime.Version()+", configured with "+text)
	return 1
}

func isControl(char rune) bool {
	return char < ' ' || char == 0x7f
}

// onRequestHeaders remembers the request: a host need not know its properties any longer when the response comes.
//
//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, count, endOfStream uint32) uint32 {
	streams[context].request = property("request\x00method") + " " + property("request\x00path")
	return actionContinue
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(context, count, endOfStream uint32) uint32 {
	stream := streams[context]
	addResponseHeader("x-go-version", runtime.Version())
	if text := configurations[stream.root]; text != "" {
		addResponseHeader("x-go-config", text)
	}
	if stream.request != "" { // empty when another filter answered before this one saw the request
		addResponseHeader("x-go-request", stream.request)
	}
	return actionContinue
}

//go:wasmexport proxy_on_delete
func onDelete(context uint32) {
	delete(streams, context)
	delete(configurations, context)
}
