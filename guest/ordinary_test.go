package guest_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What a test run as another user, who has no Go, is given ready.
const (
	guestdEnv = "PATCHBAY_TEST_GUESTD"
	inmateEnv = "PATCHBAY_TEST_INMATE"
)

// ordinaryUID is nobody's in particular: no account, no home, no groups.
const ordinaryUID = 54321

// All that a guest is holds for an ordinary user as well as for root. Root runs
// these tests once more as such a user; anybody else is one.
func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return // the other tests have just shown it
	}
	p := need(t)
	bin, err := inmate()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "patchbay-user-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chown(dir, ordinaryUID, ordinaryUID); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(dir, "tests")
	copyFile(t, "/proc/self/exe", self)
	cmd := exec.Command(self, "-test.v",
		"-test.run=^(TestBoot|TestKillLeavesNothing|TestParentDies|TestPanic|TestInterfaces|TestJail.*|TestMconsole.*|TestStockKernel)$")
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "CI=" + os.Getenv("CI"),
		"PATCHBAY_CACHE=" + p.cache, guestdEnv + "=" + p.guestd, inmateEnv + "=" + bin,
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryUID, Gid: ordinaryUID}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "--- PASS: TestBoot"); n < 1 {
		t.Errorf("no guest was booted:\n%s", out)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	r, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
}
