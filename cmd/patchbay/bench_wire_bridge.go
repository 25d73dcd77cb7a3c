package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// netns is a network namespace with nothing in it but a process that sleeps and
// what is put there. It goes with the process.
type netns struct{ *helper }

func newNetns(ctx context.Context) (netns, error) {
	cmd := exec.CommandContext(ctx, "sleep", "infinity")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	h, err := startHelper(cmd)
	if err != nil {
		return netns{}, fmt.Errorf("making a network namespace: %w", err)
	}
	return netns{h}, nil
}

func (n netns) pid() string { return strconv.Itoa(n.cmd.Process.Pid) }

// Run implements host.
func (n netns) Run(ctx context.Context, args ...string) ([]byte, error) {
	var out, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--net", "--target", n.pid(), "--"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = failedProgram(args, exit.ExitCode(), stderr.Bytes())
		}
		return out.Bytes(), err
	}
	return out.Bytes(), nil
}

// bridge is two network namespaces on a Linux bridge that lies in a third, so
// that this machine's own network has no part in it.
type bridge struct {
	spaces []netns
	hosts  [2]netns
}

func newBridge(ctx context.Context) (_ *bridge, err error) {
	b := &bridge{}
	defer func() {
		if err != nil {
			b.Close()
		}
	}()
	add := func() (netns, error) {
		n, err := newNetns(ctx)
		if err == nil {
			b.spaces = append(b.spaces, n)
		}
		return n, err
	}
	between, err := add()
	if err != nil {
		return nil, err
	}
	ip := func(n netns, args ...string) {
		if err == nil {
			_, err = n.Run(ctx, append([]string{"ip"}, args...)...)
		}
	}
	ip(between, "link", "add", "br0", "type", "bridge")
	ip(between, "link", "set", "br0", "up")
	for i := range b.hosts {
		if err == nil {
			b.hosts[i], err = add()
		}
		if err != nil {
			return nil, err
		}
		port := fmt.Sprintf("port%d", i)
		ip(between, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", b.hosts[i].pid())
		ip(between, "link", "set", port, "master", "br0", "up")
		ip(b.hosts[i], "address", "add", pairAddress(i)+"/24", "dev", "eth0")
		ip(b.hosts[i], "link", "set", "eth0", "up")
	}
	return b, err
}

// Close takes the namespaces and all in them away.
func (b *bridge) Close() {
	for _, n := range b.spaces {
		n.Close()
	}
}

// lacksBridge says what is missing to make a bridge.
func lacksBridge() string {
	if os.Geteuid() != 0 {
		return "a bridge takes root"
	}
	return missingPrograms(map[string]string{"iperf3": "iperf3", "ip": "iproute2", "ss": "iproute2", "nsenter": "util-linux"}, "iperf3", "ip", "ss", "nsenter")
}
