// A module for Trivy that lowers how severe a vulnerability is where the service is not reachable from outside.
package main

import (
	"bufio"
	"os"
	"strings"
)

const resource = "exposure"

func main() {}

//go:wasmexport name
func name() uint64 { return give([]byte("exposure-severity")) }

//go:wasmexport version
func version() uint32 { return 1 }

//go:wasmexport api_version
func apiVersion() uint32 { return 1 }

//go:wasmexport is_analyzer
func isAnalyzer() uint64 { return 1 }

//go:wasmexport is_post_scanner
func isPostScanner() uint64 { return 1 }

//go:wasmexport required
func required() uint64 { return giveJSON([]string{`(^|/)service\.conf$`}) }

type customResource struct {
	Type     string
	FilePath string
	Data     any
}

// analyze reads "exposure = internal" from a service's configuration.
//
//go:wasmexport analyze
func analyze(address, size uint32) uint64 {
	path := string(taken(address, size))
	file, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		key, value, found := strings.Cut(lines.Text(), "=")
		if !found || strings.TrimSpace(key) != resource {
			continue
		}
		exposure := customResource{Type: resource, FilePath: path, Data: strings.TrimSpace(value)}
		return giveJSON(map[string]any{"CustomResources": []customResource{exposure}})
	}
	if err := lines.Err(); err != nil {
		return fail(err)
	}
	return give([]byte("null"))
}

//go:wasmexport post_scan_spec
func postScanSpec() uint64 {
	return giveJSON(map[string]any{
		"Action": "UPDATE",
		"IDs":    []string{"EXAMPLE-2026-0001", "CVE-2022-22965"},
	})
}

//go:wasmexport post_scan
func postScan(address, size uint32) uint64 {
	results, err := parse(taken(address, size))
	if err != nil {
		return fail(err)
	}
	if !isInternal(results) {
		return giveJSON(results)
	}
	for _, result := range results {
		for _, vulnerability := range result.vulnerabilities() {
			info("lowering " + vulnerability.text("VulnerabilityID"))
			vulnerability["Severity"] = "LOW"
			vulnerability["SeveritySource"] = "exposure"
		}
	}
	return giveJSON(results)
}
