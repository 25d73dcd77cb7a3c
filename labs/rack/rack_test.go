package rack_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
)

func TestRackRunsItsNodes(t *testing.T) {
	w := newWorld()
	b := serve(t, twoHosts(), w)
	s := b.stream(t, rack.Owner)
	until(t, s, "all run", func(st *rack.State) bool {
		return st.Status == rack.Running && nodesAre(rack.Running, "pc1", "pc2")(st)
	})
	st, err := b.client.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.Rack != "r1" || st.Owner != "ann" || st.Progress != nil || len(st.Segments) != 1 || len(st.Segments[0].Ports) != 2 {
		t.Errorf("state: %+v", st)
	}
	pc2 := st.Nodes[1]
	if pc2.Consoles != rack.ConsoleLines || !pc2.Interfaces[0].Plugged || pc2.Interfaces[1].Plugged {
		t.Errorf("pc2: %+v", pc2)
	}
	if a, z := st.Nodes[0].Interfaces[0].MAC, pc2.Interfaces[0].MAC; !strings.HasPrefix(a, "02:") || a == z {
		t.Errorf("addresses %s and %s", a, z)
	}
	for _, dir := range []string{"nodes/pc1/net/eth0", "nodes/pc2/net/eth1"} {
		if fi, err := os.Stat(filepath.Join(b.dir, dir)); err != nil || fi.Mode()&os.ModeSocket == 0 {
			t.Errorf("%s is no socket: %v", dir, err)
		}
	}
	if fi, err := os.Stat(filepath.Join(b.dir, "sock")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", fi, err)
	}
}

func TestOperations(t *testing.T) {
	w := newWorld()
	b := serve(t, twoHosts(), w)
	ctx, c := t.Context(), b.client
	s := b.stream(t, rack.Owner)
	status := func(node int) rack.Status {
		t.Helper()
		st, err := c.State(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return st.Nodes[node].Status
	}
	until(t, s, "all run", nodesAre(rack.Running, "pc1", "pc2"))
	do := func(op rack.Op) {
		t.Helper()
		if err := c.Do(ctx, op); err != nil {
			t.Fatalf("%+v: %v", op, err)
		}
	}
	do(rack.Op{Do: "stop", Node: "pc1"})
	if status(0) != rack.Off || status(1) != rack.Running {
		t.Error("stop pc1 did not stop pc1 alone")
	}
	_, err := c.Exec(ctx, "pc1", rack.ExecRequest{Args: []string{"true"}})
	refused(t, err, http.StatusConflict, "pc1 is off")
	do(rack.Op{Do: "start"})
	if status(0) != rack.Running || w.starts["pc2"] != 1 {
		t.Error("start did not start what was off alone")
	}
	do(rack.Op{Do: "restart"})
	if w.starts["pc1"] != 3 || w.starts["pc2"] != 2 {
		t.Errorf("starts: %v", w.starts)
	}
	do(rack.Op{Do: "unplug", Node: "pc2", Interface: "eth0"})
	until(t, s, "the cable is out", func(st *rack.State) bool { return !st.Nodes[1].Interfaces[0].Plugged })
	do(rack.Op{Do: "plug", Node: "pc2", Interface: "eth0"})
	until(t, s, "the cable is in", func(st *rack.State) bool { return st.Nodes[1].Interfaces[0].Plugged })

	for _, tt := range []struct {
		op     rack.Op
		status int
		says   string
	}{
		{rack.Op{Do: "explode"}, http.StatusBadRequest, "explode"},
		{rack.Op{Do: "start", Node: "pc9"}, http.StatusNotFound, "pc9"},
		{rack.Op{Do: "plug", Node: "pc1", Interface: "eth7"}, http.StatusNotFound, "eth7"},
		{rack.Op{Do: "plug", Node: "pc2", Interface: "eth1"}, http.StatusBadRequest, "no cable"},
	} {
		refused(t, c.Do(ctx, tt.op), tt.status, tt.says)
		if err := s.Do(ctx, tt.op); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v on the stream: %v", tt.op, err)
		}
	}
}

func TestResetThrowsTheDiskAway(t *testing.T) {
	w := newWorld()
	b := serve(t, twoHosts(), w)
	s := b.stream(t, rack.Owner)
	until(t, s, "all run", nodesAre(rack.Running, "pc1", "pc2"))
	disks := map[string]string{}
	for _, n := range []string{"pc1", "pc2"} {
		disks[n] = filepath.Join(b.dir, "nodes", n, "disk.ext4")
		if err := os.WriteFile(disks[n], []byte("work"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	epochs := make(chan rack.ServerMessage, 8)
	sc := attach(t, s, rack.AttachOptions{Node: "pc1", Event: func(m rack.ServerMessage) { epochs <- m }})
	first := <-epochs
	sc.types(t, "hello\r")
	sc.shows(t, "hello\r\n")
	if err := s.Do(t.Context(), rack.Op{Do: "reset", Node: "pc1"}); err != nil {
		t.Fatal(err)
	}
	for m := range epochs {
		if m.T == "epoch" {
			if m.Epoch <= first.Epoch {
				t.Errorf("epoch %d after %d", m.Epoch, first.Epoch)
			}
			break
		}
	}
	sc.shows(t, "pc1/0# ")
	if strings.Contains(sc.String(), "hello") {
		t.Error("the old screen survived")
	}
	if _, err := os.Stat(disks["pc1"]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("pc1's disk: %v", err)
	}
	if _, err := os.Stat(disks["pc2"]); err != nil {
		t.Errorf("pc2's disk: %v", err)
	}
}

func TestEndsFromInside(t *testing.T) {
	w := newWorld()
	b := serve(t, twoHosts(), w)
	s := b.stream(t, rack.Owner)
	until(t, s, "all run", nodesAre(rack.Running, "pc1", "pc2"))
	sc := attach(t, s, rack.AttachOptions{Node: "pc1"})
	sc.types(t, "reboot\r")
	sc.shows(t, "[patchbay] pc1 reboots")
	sc.shows(t, "pc1/0# ")
	sc.types(t, "poweroff\r")
	sc.shows(t, "[patchbay] pc1 powered off")
	until(t, s, "pc1 is off", nodesAre(rack.Off, "pc1"))
	if err := s.Do(t.Context(), rack.Op{Do: "start", Node: "pc1"}); err != nil {
		t.Fatal(err)
	}
	sc.types(t, "panic\r")
	until(t, s, "pc1 has failed", func(st *rack.State) bool {
		n := st.Nodes[0]
		return n.Status == rack.Failed && n.Reason == "Its kernel panicked." && strings.Contains(n.Detail, "Kernel panic")
	})
	until(t, s, "pc2 runs", nodesAre(rack.Running, "pc2"))
	if err := s.Do(t.Context(), rack.Op{Do: "restart", Node: "pc1"}); err != nil {
		t.Fatal(err)
	}
	until(t, s, "pc1 runs", nodesAre(rack.Running, "pc1"))
}

func TestRebootLoopIsGivenUp(t *testing.T) {
	w := newWorld()
	b := serve(t, twoHosts(), w)
	s := b.stream(t, rack.Owner)
	until(t, s, "all run", nodesAre(rack.Running, "pc1", "pc2"))
	sc := attach(t, s, rack.AttachOptions{Node: "pc1"})
	go func() { // ends with the test's stream
		for {
			if _, err := io.WriteString(sc, "reboot\r"); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	until(t, s, "pc1 is given up", func(st *rack.State) bool {
		return st.Nodes[0].Status == rack.Failed && strings.Contains(st.Nodes[0].Reason, "rebooted 5 times")
	})
}

func TestAFailedNodeLeavesTheOthersAlone(t *testing.T) {
	w := newWorld()
	w.refuse = func(node string) error {
		if node == "pc1" {
			return &rack.Explained{Sentence: "The kernel is missing.", Err: os.ErrNotExist}
		}
		return nil
	}
	b := serve(t, twoHosts(), w)
	s := b.stream(t, rack.Owner)
	until(t, s, "it is settled", func(st *rack.State) bool {
		return st.Status == rack.Running && st.Nodes[0].Status == rack.Failed &&
			st.Nodes[0].Reason == "The kernel is missing." && st.Nodes[1].Status == rack.Running
	})
	err := b.client.Do(t.Context(), rack.Op{Do: "start", Node: "pc1"})
	refused(t, err, http.StatusConflict, "The kernel is missing.")
	w.mu.Lock()
	w.refuse = nil
	w.mu.Unlock()
	if err := b.client.Do(t.Context(), rack.Op{Do: "start", Node: "pc1"}); err != nil {
		t.Errorf("starting what failed: %v", err)
	}
}

func TestStopInterruptsAStart(t *testing.T) {
	w := newWorld()
	booting := make(chan struct{}, 1)
	w.boot = func(ctx context.Context, node string) error {
		if node == "pc2" {
			return nil
		}
		booting <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	b := serve(t, twoHosts(), w)
	<-booting
	if err := b.client.Do(t.Context(), rack.Op{Do: "stop", Node: "pc1"}); err != nil {
		t.Fatal(err)
	}
	st, err := b.client.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.Nodes[0].Status != rack.Off || st.Nodes[1].Status != rack.Running {
		t.Errorf("nodes: %+v", st.Nodes)
	}
}

func TestExecAndFiles(t *testing.T) {
	w := newWorld()
	b := serve(t, twoHosts(), w)
	until(t, b.stream(t, rack.Owner), "all run", nodesAre(rack.Running, "pc1", "pc2"))
	ctx, c := t.Context(), b.client
	res, err := c.Exec(ctx, "pc1", rack.ExecRequest{Args: []string{"ip", "addr"}, Stdin: []byte("in")})
	if err != nil || res.ExitCode != 2 || string(res.Stdout) != "ip addr" || string(res.Stderr) != "in" {
		t.Errorf("exec: %+v, %v", res, err)
	}
	_, err = c.Exec(ctx, "pc1", rack.ExecRequest{Args: []string{"sleep"}, Timeout: time.Millisecond})
	refused(t, err, http.StatusGatewayTimeout, "sleep did not end within 1ms.")
	_, err = c.Exec(ctx, "pc1", rack.ExecRequest{})
	refused(t, err, http.StatusBadRequest, "args")
	_, err = c.Exec(ctx, "nobody", rack.ExecRequest{Args: []string{"true"}})
	refused(t, err, http.StatusNotFound, "nobody")

	if err := c.Put(ctx, "pc1", "/etc/motd", 0o640, strings.NewReader("hi")); err != nil {
		t.Error(err)
	}
	w.mu.Lock()
	if string(w.files["/etc/motd 640"]) != "hi" {
		t.Errorf("files: %q", w.files)
	}
	w.mu.Unlock()
	refused(t, c.Put(ctx, "pc1", "etc/motd", 0o640, strings.NewReader("hi")), http.StatusBadRequest, "absolute")
	r, err := c.Get(ctx, "pc1", "/etc/hostname")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if data, _ := io.ReadAll(r); string(data) != "content of /etc/hostname" {
		t.Errorf("got %q", data)
	}
	_, err = c.Get(ctx, "pc1", "/missing")
	refused(t, err, http.StatusConflict, "no file")
}

func TestOneProcessPerFolder(t *testing.T) {
	w := newWorld()
	b := serve(t, twoHosts(), w)
	err := rack.Serve(t.Context(), rack.Options{Dir: b.dir, Start: w.start}, nil)
	if !errors.Is(err, rack.ErrRunning) {
		t.Errorf("a second rack: %v", err)
	}
	if pid, err := rack.PID(t.Context(), b.dir); err != nil || pid != os.Getpid() {
		t.Errorf("the rack's process: %d, %v", pid, err)
	}
	if err := b.client.Do(t.Context(), rack.Op{Do: "end"}); err != nil {
		t.Errorf("ending: %v", err)
	}
	if err := <-b.ended; err != nil {
		t.Errorf("the rack ended with %v", err)
	}
	close(b.ended)
	for _, gone := range []string{"sock", "nodes/pc1/net/eth0"} {
		if _, err := os.Stat(filepath.Join(b.dir, gone)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left behind: %v", gone, err)
		}
	}
	// And again, in the same folder, with a dead socket in it.
	if err := os.WriteFile(filepath.Join(b.dir, "sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again := serveAt(t, b.dir, w.start)
	until(t, again.stream(t, rack.Owner), "all run", nodesAre(rack.Running, "pc1", "pc2"))
	again.end(t)
}

func TestLongFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := rack.WriteSpec(dir, &rack.Spec{ID: "r1", Topology: twoHosts()}); err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	b := serveAt(t, dir, w.start)
	until(t, b.stream(t, rack.Owner), "all run", nodesAre(rack.Running, "pc1", "pc2"))
	b.end(t)
}
