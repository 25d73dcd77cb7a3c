package guest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/patchbay/patchbay/guest"
)

// holderEnv makes the test's executable a program that starts one guest, says
// its process number and waits for its own end.
const holderEnv = "PATCHBAY_TEST_HOLD"

func init() {
	if text := os.Getenv(holderEnv); text != "" {
		hold(text)
	}
}

func hold(text string) {
	var c guest.Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	g, err := guest.Start(context.Background(), c)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := range c.Lines {
		go io.Copy(io.Discard, g.Console(i))
	}
	if _, err := g.Boot(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(g.PID())
	select {}
}

// startHolder starts such a program and returns it and its guest's process.
func startHolder(t *testing.T, c guest.Config) (*exec.Cmd, int) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), holderEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, perr := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || perr != nil {
		t.Fatalf("the helper says %q, %v", line, err)
	}
	return cmd, pid
}
