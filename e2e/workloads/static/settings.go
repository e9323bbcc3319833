package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// switches is what may change while the process runs. Replaced as a whole, so a request sees one consistent set.
type switches struct {
	LatencyMS           float64 `json:"latency_ms"`
	ErrorRatio          float64 `json:"error_ratio"`
	LeakBytesPerRequest int     `json:"leak_bytes_per_request"`
	Ready               bool    `json:"ready"`
	Live                bool    `json:"live"`
}

// parsers say how each switch is read; the text comes from a flag, the environment or a JSON value.
var parsers = map[string]func(*switches, string) error{
	"latency_ms":             func(s *switches, text string) error { return parseNumber(text, 1e9, &s.LatencyMS) },
	"error_ratio":            func(s *switches, text string) error { return parseNumber(text, 1, &s.ErrorRatio) },
	"leak_bytes_per_request": func(s *switches, text string) error { return parseCount(text, &s.LeakBytesPerRequest) },
	"ready":                  func(s *switches, text string) error { return parseBool(text, &s.Ready) },
	"live":                   func(s *switches, text string) error { return parseBool(text, &s.Live) },
}

// withChanges returns these switches with the named ones changed; the error names the field.
func (s switches) withChanges(body []byte) (switches, error) {
	var changes map[string]json.RawMessage
	if err := json.Unmarshal(body, &changes); err != nil || changes == nil {
		return s, errors.New("the body must be a JSON object")
	}
	for name, value := range changes {
		parse, known := parsers[name]
		if !known {
			return s, fmt.Errorf("%s: unknown switch; known are %s", name, strings.Join(slices.Sorted(maps.Keys(parsers)), ", "))
		}
		if err := parse(&s, strings.Trim(string(value), `"`)); err != nil {
			return s, fmt.Errorf("%s: %w", name, err)
		}
	}
	return s, nil
}

// settings is what is fixed at start. drain counts from SIGTERM and includes linger.
type settings struct {
	host, version, pod        string
	port                      int
	startDelay, drain, linger time.Duration
	switches                  switches
}

// parseSettings reads flags, else the environment, else defaults. A bad value ends the process with code 2, naming the flag.
func parseSettings(args []string) settings {
	pod, _ := os.Hostname()
	s := settings{pod: pod, switches: switches{Ready: true, Live: true}}
	set := flag.NewFlagSet("web", flag.ExitOnError)
	add := func(name, fallback string, parse func(string) error) {
		variable := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		value := os.Getenv(variable)
		if value == "" {
			value = fallback
		}
		if err := parse(value); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", variable, err)
			os.Exit(2)
		}
		set.Func(name, fmt.Sprintf("environment: %s; default: %s", variable, fallback), parse)
	}
	add("host", "0.0.0.0", func(text string) error { s.host = text; return nil })
	add("port", "8080", func(text string) error { return parseCount(text, &s.port) })
	add("version", "dev", func(text string) error { s.version = text; return nil })
	add("start-delay", "0", func(text string) error { return parseSeconds(text, &s.startDelay) })
	add("drain", "20", func(text string) error { return parseSeconds(text, &s.drain) })
	add("linger", "3", func(text string) error { return parseSeconds(text, &s.linger) })
	defaults, _ := json.Marshal(s.switches)
	var values map[string]json.RawMessage
	_ = json.Unmarshal(defaults, &values)
	for name, parse := range parsers {
		add(strings.ReplaceAll(name, "_", "-"), string(values[name]), func(text string) error { return parse(&s.switches, text) })
	}
	_ = set.Parse(args)
	return s
}

func parseNumber(text string, most float64, into *float64) error {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return errors.New("must be a number")
	}
	if !(number >= 0 && number <= most) {
		return fmt.Errorf("must be between 0 and %g", most)
	}
	*into = number
	return nil
}

func parseCount(text string, into *int) error {
	var number float64
	if err := parseNumber(text, 1e9, &number); err != nil {
		return err
	}
	if number != math.Trunc(number) {
		return errors.New("must be a whole number")
	}
	*into = int(number)
	return nil
}

func parseSeconds(text string, into *time.Duration) error {
	var number float64
	if err := parseNumber(text, 1e9, &number); err != nil {
		return err
	}
	*into = time.Duration(number * float64(time.Second))
	return nil
}

func parseBool(text string, into *bool) error {
	if text != "true" && text != "false" {
		return errors.New("must be true or false")
	}
	*into = text == "true"
	return nil
}
