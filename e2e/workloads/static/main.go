// A small HTTP service that behaves well, or badly on request: the static workload of the end-to-end tests, for high rates.
// Standard library only, no file is ever written. The contract (routes, settings, drain) is in ../README.md; ../python/ keeps the
// same one, and one table of tests holds both to it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const maxBodyBytes = 64 * 1024

type workload struct {
	settings settings
	switches atomic.Pointer[switches]
	readyAt  time.Time
	draining atomic.Bool
	hanging  atomic.Bool
	inFlight atomic.Int64

	mutex sync.Mutex
	leak  [][]byte // kept reachable on purpose, so that the memory limit is met
	debt  float64  // of errors owed, see isNextError
}

func (w *workload) log(event string, fields map[string]any) {
	line := map[string]any{"event": event, "version": w.settings.version, "pod": w.settings.pod}
	maps.Copy(line, fields)
	text, _ := json.Marshal(line)
	_, _ = os.Stdout.Write(append(text, '\n'))
}

func (w *workload) ServeHTTP(out http.ResponseWriter, request *http.Request) {
	w.inFlight.Add(1)
	defer w.inFlight.Add(-1)
	if request.URL.Path == "/grpc.health.v1.Health/Check" && request.ProtoMajor == 2 {
		w.answerGRPCHealth(out)
		return
	}
	if request.ContentLength < 0 {
		w.refuse(out, 411, "send Content-Length")
		return
	}
	if request.ContentLength > maxBodyBytes {
		w.refuse(out, 413, fmt.Sprintf("at most %d bytes", maxBodyBytes))
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the client left in the middle of its request
	}
	if w.hanging.Load() {
		select {}
	}
	w.route(out, request, body)
}

func (w *workload) route(out http.ResponseWriter, request *http.Request, body []byte) {
	path, verb := request.URL.Path, request.Method
	if verb == http.MethodHead {
		verb = http.MethodGet
	}
	switch verb + " " + path {
	case "GET /", "POST /":
		w.answerApplication(out)
	case "GET /health/live":
		w.answerHealth(out, "live", w.switches.Load().Live)
	case "GET /health/ready":
		ready := w.switches.Load().Ready && !w.draining.Load() && !time.Now().Before(w.readyAt)
		w.answerHealth(out, "ready", ready)
	case "GET /switch":
		w.answerSwitches(out)
	case "POST /switch":
		w.changeSwitches(out, body)
	case "POST /crash":
		out.Header().Set("Connection", "close")
		w.answer(out, 202, map[string]any{"crash": true})
		_ = http.NewResponseController(out).Flush()
		w.log("crashed", map[string]any{"code": 1})
		os.Exit(1)
	case "POST /hang":
		w.answer(out, 202, map[string]any{"hang": true})
		w.hanging.Store(true)
	default:
		switch path {
		case "/", "/health/live", "/health/ready", "/switch", "/crash", "/hang":
			w.answer(out, 405, map[string]any{"error": request.Method + " is not for " + path})
		default:
			w.answer(out, 404, map[string]any{"error": "no such path: " + path})
		}
	}
}

func (w *workload) answerApplication(out http.ResponseWriter) {
	now := w.switches.Load()
	if now.LeakBytesPerRequest > 0 {
		w.leakBytes(now.LeakBytesPerRequest)
	}
	if now.LatencyMS > 0 {
		time.Sleep(time.Duration(now.LatencyMS * float64(time.Millisecond)))
	}
	content := map[string]any{"version": w.settings.version, "pod": w.settings.pod}
	if w.isNextError(now.ErrorRatio) {
		content["error"] = "injected"
		w.answer(out, 500, content)
		return
	}
	w.answer(out, 200, content)
}

// isNextError fails requests exactly: over any n requests, floor(n * ratio) of them. No dice, so no flaky test.
func (w *workload) isNextError(ratio float64) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.debt += ratio
	// The tolerance makes ten times 0.1 a whole error in spite of binary fractions.
	if w.debt >= 1-1e-9 {
		w.debt--
		return true
	}
	return false
}

func (w *workload) leakBytes(count int) {
	block := make([]byte, count)
	for at := range block {
		block[at] = 'x' // touched, else the kernel would never count it
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.leak = append(w.leak, block)
}

func (w *workload) answerHealth(out http.ResponseWriter, probe string, good bool) {
	code := 200
	if !good {
		code = 503
	}
	w.answer(out, code, map[string]any{probe: good})
}

// answerGRPCHealth says of every service alike: SERVING (1), or NOT_SERVING (2) when switched off. A message's head, then its field 1.
func (w *workload) answerGRPCHealth(out http.ResponseWriter) {
	status := byte(2)
	if w.switches.Load().Live {
		status = 1
	}
	out.Header().Set("Content-Type", "application/grpc")
	_, _ = out.Write([]byte{0, 0, 0, 0, 2, 8, status})
	out.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
}

func (w *workload) answerSwitches(out http.ResponseWriter) {
	text, _ := json.Marshal(w.switches.Load())
	content := map[string]any{}
	_ = json.Unmarshal(text, &content)
	content["in_flight"] = w.inFlight.Load() - 1 // this request itself is one of them
	w.answer(out, 200, content)
}

func (w *workload) changeSwitches(out http.ResponseWriter, body []byte) {
	changed, err := w.switches.Load().withChanges(body)
	if err != nil {
		w.answer(out, 400, map[string]any{"error": err.Error()})
		return
	}
	w.switches.Store(&changed)
	w.mutex.Lock()
	w.debt = 0
	w.mutex.Unlock()
	w.answerSwitches(out)
}

func (w *workload) refuse(out http.ResponseWriter, code int, why string) {
	out.Header().Set("Connection", "close")
	w.answer(out, code, map[string]any{"error": why})
}

func (w *workload) answer(out http.ResponseWriter, code int, content map[string]any) {
	body, _ := json.Marshal(content)
	header := out.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if w.draining.Load() {
		header.Set("Connection", "close")
	}
	out.WriteHeader(code)
	_, _ = out.Write(body)
}

// drain is the polite end; the exit code is 0 when every request got its answer, 1 when `drain` was not enough.
func (w *workload) drain(listener net.Listener, open *connections) int {
	began := time.Now()
	w.draining.Store(true)
	w.log("draining", nil)
	// Endpoints go some time after SIGTERM: until then new connections must still be served, or their requests fail.
	time.Sleep(min(w.settings.linger, w.settings.drain))
	_ = listener.Close()
	open.hangUpIdle()
	cut := open.waitUntilNone(w.settings.drain - time.Since(began))
	code := 0
	if cut > 0 {
		code = 1
	}
	w.log("stopped", map[string]any{"code": code, "connections_cut": cut})
	return code
}

func main() {
	s := parseSettings(os.Args[1:])
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT)
	listener, err := net.Listen("tcp", net.JoinHostPort(s.host, strconv.Itoa(s.port)))
	if err != nil {
		fmt.Fprintf(os.Stderr, "cannot listen: %v; choose another PORT or HOST\n", err)
		os.Exit(1)
	}
	w := &workload{settings: s, readyAt: time.Now().Add(s.startDelay)}
	w.switches.Store(&s.switches)
	open := newConnections()
	server := &http.Server{Handler: w, ConnState: open.track, ReadHeaderTimeout: 75 * time.Second, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(listener) }()
	w.log("started", map[string]any{"port": listener.Addr().(*net.TCPAddr).Port})
	<-ends
	os.Exit(w.drain(listener, open))
}
