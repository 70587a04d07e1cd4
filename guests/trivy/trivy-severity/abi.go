package main

import (
	"encoding/json"
	"unsafe"
)

// Trivy's module ABI, by hand: there is no SDK between.

//go:wasmimport env info
func envInfo(text unsafe.Pointer, size uint32)

//go:wasmimport env error
func envError(text unsafe.Pointer, size uint32)

// allocations keeps what goes between host and module alive: the garbage collector does not see the host's pointers.
var allocations = map[uint32][]byte{}

//go:wasmexport malloc
func malloc(size uint32) uint32 {
	return keep(make([]byte, max(size, 1)))
}

//go:wasmexport free
func free(address, size uint32) {
	delete(allocations, address)
}

func keep(bytes []byte) uint32 {
	address := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(bytes))))
	allocations[address] = bytes
	return address
}

// taken is what the host wrote at an address that it got from malloc.
func taken(address, size uint32) []byte {
	return allocations[address][:size]
}

func give(bytes []byte) uint64 {
	return uint64(keep(bytes))<<32 | uint64(len(bytes))
}

func giveJSON(value any) uint64 {
	bytes, err := json.Marshal(value)
	if err != nil {
		return fail(err)
	}
	return give(bytes)
}

// fail says why there is no result.
func fail(err error) uint64 {
	text := err.Error()
	envError(unsafe.Pointer(unsafe.StringData(text)), uint32(len(text)))
	return 0
}

func info(text string) {
	envInfo(unsafe.Pointer(unsafe.StringData(text)), uint32(len(text)))
}
