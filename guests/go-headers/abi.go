package main

import "unsafe"

// The part of the proxy-wasm ABI that this filter uses, by hand: there is no SDK between.

type status uint32

const (
	statusOK status = 0

	actionContinue = 0

	logInfo  = 2
	logError = 4

	responseHeaders = 2

	pluginConfiguration = 7
)

//go:wasmimport env proxy_log
func proxyLog(level uint32, text unsafe.Pointer, size uint32) status

//go:wasmimport env proxy_get_buffer_bytes
func proxyGetBufferBytes(buffer, start, maxSize uint32, bytes, size unsafe.Pointer) status

//go:wasmimport env proxy_add_header_map_value
func proxyAddHeaderMapValue(headerMap uint32, name unsafe.Pointer, nameSize uint32, value unsafe.Pointer, valueSize uint32) status

//go:wasmimport env proxy_get_property
func proxyGetProperty(path unsafe.Pointer, pathSize uint32, value, valueSize unsafe.Pointer) status

// allocations keeps what the host asked for alive until the filter has taken it: the garbage collector does not see
// the host's pointers.
var allocations = map[uint32][]byte{}

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) uint32 {
	memory := make([]byte, max(size, 1))
	address := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(memory))))
	allocations[address] = memory
	return address
}

// take gives what the host wrote at an address that it got from allocate.
func take(address, size uint32) []byte {
	memory := allocations[address]
	delete(allocations, address)
	return memory[:min(int(size), len(memory))]
}

func log(level uint32, text string) {
	proxyLog(level, unsafe.Pointer(unsafe.StringData(text)), uint32(len(text)))
}

func configuration(size uint32) ([]byte, status) {
	var address, given uint32
	result := proxyGetBufferBytes(pluginConfiguration, 0, size, unsafe.Pointer(&address), unsafe.Pointer(&given))
	if result != statusOK {
		return nil, result
	}
	return take(address, given), statusOK
}

// property gives the value of a property, empty when the host has none. The parts of a path are joined by NUL bytes.
func property(path string) string {
	var address, size uint32
	pointer := unsafe.Pointer(unsafe.StringData(path))
	if proxyGetProperty(pointer, uint32(len(path)), unsafe.Pointer(&address), unsafe.Pointer(&size)) != statusOK {
		return ""
	}
	return string(take(address, size))
}

func addResponseHeader(name, value string) {
	result := proxyAddHeaderMapValue(responseHeaders,
		unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)),
		unsafe.Pointer(unsafe.StringData(value)), uint32(len(value)))
	if result != statusOK {
		log(logError, "go-headers: the header "+name+" could not be added")
	}
}
