// Adds a header to each request and response, takes x-powered-by away, and can require a header of each request.
//
// The configuration is JSON, all keys optional:
//
//	{ "header": "x-greeting", "value": "hello", "require": "x-api-key" }
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

// The host calls the exports of the SDK, never main.
func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type config struct {
	Header string `json:"header"`
	Value  string `json:"value"`
	// Requests without this header are refused. Empty: none are.
	Require string `json:"require"`
}

func parseConfig(text []byte) (config, error) {
	parsed := config{Header: "x-greeting", Value: "hello"}
	if len(text) == 0 {
		return parsed, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&parsed); err != nil {
		return parsed, err
	}
	if decoder.More() {
		return parsed, errors.New("there is something behind the JSON object")
	}
	if !isHeaderName(parsed.Header) {
		return parsed, fmt.Errorf("header: %q is not a header name", parsed.Header)
	}
	if strings.ContainsFunc(parsed.Value, isControl) {
		return parsed, fmt.Errorf("value: %q has a control character", parsed.Value)
	}
	if parsed.Require != "" && !isHeaderName(parsed.Require) {
		return parsed, fmt.Errorf("require: %q is not a header name", parsed.Require)
	}
	return parsed, nil
}

func isHeaderName(name string) bool {
	mayNotStand := func(r rune) bool {
		isAlphanumeric := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !isAlphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}
	return name != "" && !strings.ContainsFunc(name, mayNotStand)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// plugin is there once for each place in the proxy's configuration that names the filter, and lives as long as that.
type plugin struct {
	types.DefaultPluginContext
	config  config
	refused proxywasm.MetricCounter
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	// The SDK gives this error where there is no configuration.
	text, err := proxywasm.GetPluginConfiguration()
	if err != nil && !errors.Is(err, types.ErrorStatusNotFound) {
		proxywasm.LogErrorf("the configuration cannot be read: %v", err)
		return types.OnPluginStartStatusFailed
	}
	if p.config, err = parseConfig(text); err != nil {
		proxywasm.LogErrorf("the configuration is refused: %v", err)
		return types.OnPluginStartStatusFailed
	}
	p.refused = proxywasm.DefineCounterMetric("my_filter_refused")
	proxywasm.LogInfof("adds %s: %s", p.config.Header, p.config.Value)
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &stream{plugin: p} }

// stream is there once for each request.
type stream struct {
	types.DefaultHttpContext
	plugin *plugin
}

func (s *stream) OnHttpRequestHeaders(int, bool) types.Action {
	config := s.plugin.config
	if config.Require != "" && !hasRequestHeader(config.Require) {
		s.plugin.refused.Increment(1)
		headers := [][2]string{{"content-type", "text/plain"}}
		body := fmt.Appendf(nil, "this needs the header %s\n", config.Require)
		if err := proxywasm.SendHttpResponse(401, headers, body, -1); err != nil {
			proxywasm.LogErrorf("the request cannot be refused: %v", err)
		}
		// Also then: a request that may not pass waits.
		return types.ActionPause
	}
	if err := proxywasm.AddHttpRequestHeader(config.Header, config.Value); err != nil {
		proxywasm.LogErrorf("the request's header cannot be added: %v", err)
	}
	return types.ActionContinue
}

func hasRequestHeader(name string) bool {
	value, err := proxywasm.GetHttpRequestHeader(name)
	return err == nil && value != ""
}

func (s *stream) OnHttpResponseHeaders(int, bool) types.Action {
	config := s.plugin.config
	if err := proxywasm.AddHttpResponseHeader(config.Header, config.Value); err != nil {
		proxywasm.LogErrorf("the response's header cannot be added: %v", err)
	}
	if err := proxywasm.RemoveHttpResponseHeader("x-powered-by"); err != nil {
		proxywasm.LogErrorf("x-powered-by cannot be taken away: %v", err)
	}
	return types.ActionContinue
}
