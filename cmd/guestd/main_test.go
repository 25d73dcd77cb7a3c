package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Some of guestd can only be tried in a process of its own: it reaps every
// child there is, or sets up whatever network it finds. The test binary runs
// itself again for that, and inner names what is to be done there.
const innerVar = "GUESTD_TEST"

var inner = map[string]func(){
	"network": innerNetwork,
	"console": innerConsole,
}

func TestMain(m *testing.M) {
	if do := inner[os.Getenv(innerVar)]; do != nil {
		do()
		return
	}
	os.Exit(m.Run())
}

// runInner returns what the inner process printed. It is root of namespaces of
// its own, with an empty network, whoever we are.
func runInner(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), innerVar+"="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func wantLines(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("missing %q in:\n%s", w, got)
		}
	}
}
