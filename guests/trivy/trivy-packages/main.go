// A module for Trivy that reports the packages of a lock file that Trivy does not know: "name version", a line each.
package main

import (
	"fmt"
	"os"
	"path"
	"strings"
)

func main() {}

//go:wasmexport name
func name() uint64 { return give([]byte("packages-list")) }

//go:wasmexport version
func version() uint32 { return 1 }

//go:wasmexport api_version
func apiVersion() uint32 { return 1 }

//go:wasmexport is_analyzer
func isAnalyzer() uint64 { return 1 }

//go:wasmexport is_post_scanner
func isPostScanner() uint64 { return 0 }

//go:wasmexport required
func required() uint64 { return giveJSON([]string{`packages\.list$`}) }

//go:wasmexport post_scan
func postScan(address, size uint32) uint64 { return give([]byte("[]")) }

type location struct{ StartLine, EndLine int }

type pkg struct {
	ID, Name, Version string
	Locations         []location
}

type application struct {
	Type, FilePath string
	Packages       []pkg
}

//go:wasmexport analyze
func analyze(address, size uint32) uint64 {
	file := string(taken(address, size))
	text, err := os.ReadFile(file)
	if err != nil {
		return fail(err)
	}
	// Nothing else is there, and a module can rely on it.
	entries, err := os.ReadDir(path.Dir(file))
	if err != nil {
		return fail(err)
	}
	if len(entries) != 1 {
		return fail(fmt.Errorf("%d entries beside %s", len(entries), file))
	}
	found := application{Type: "npm", FilePath: strings.TrimPrefix(file, "/")}
	for number, line := range strings.Split(string(text), "\n") {
		name, version, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		found.Packages = append(found.Packages, pkg{
			ID:        name + "@" + version,
			Name:      name,
			Version:   version,
			Locations: []location{{number + 1, number + 1}},
		})
	}
	return giveJSON(map[string]any{"Applications": []application{found}})
}
