package main

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// connections is every open connection and whether it is inside a request. The drain waits here.
type connections struct {
	mutex   sync.Mutex
	states  map[net.Conn]http.ConnState
	closing bool
	changed chan struct{} // closed and replaced at each removal
}

func newConnections() *connections {
	return &connections{states: map[net.Conn]http.ConnState{}, changed: make(chan struct{})}
}

// track is the server's ConnState hook.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(c.states, conn)
		close(c.changed)
		c.changed = make(chan struct{})
		return
	}
	c.states[conn] = state
	c.hangUpIfDone(conn, state)
}

// hangUpIdle ends connections that are between requests, now and from now on; those inside one finish first.
func (c *connections) hangUpIdle() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.closing = true
	for conn, state := range c.states {
		c.hangUpIfDone(conn, state)
	}
}

// hangUpIfDone closes only the reading side: the server's read returns "end", and a request that the kernel already has is still
// answered. http.Server.Shutdown would close both sides and lose it.
func (c *connections) hangUpIfDone(conn net.Conn, state http.ConnState) {
	if !c.closing || state == http.StateActive {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.CloseRead()
	}
}

// waitUntilNone waits until no connection is left, at most this long, and returns how many are left.
func (c *connections) waitUntilNone(limit time.Duration) int {
	deadline := time.After(limit)
	for {
		c.mutex.Lock()
		left, changed := len(c.states), c.changed
		c.mutex.Unlock()
		if left == 0 {
			return 0
		}
		select {
		case <-changed:
		case <-deadline:
			return left
		}
	}
}
