package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/patchbay/patchbay/labs/rack"
	"github.com/patchbay/patchbay/static"
)

// site is `patchbay serve` as people run it, on a state folder of its own: the
// real program, real racks, real guests.
type site struct {
	t     *testing.T
	exe   string // bin/patchbay, with guestd beside it
	state string
	cache string
	addr  string
	url   string
	out   *output
	args  []string // of serve, besides

	within []string // what executes it; nobody else when empty

	cmd   *exec.Cmd
	ended chan error
}

const chromium = "/usr/bin/chromium"

// browsable says what a test with a browser needs besides and this machine lacks.
func browsable() error {
	_, chromeErr := exec.LookPath(chromium)
	var bundleErr error
	if f, err := static.FS().Open("lab.js"); err != nil {
		bundleErr = errors.New("static/dist is empty: make bundle")
	} else {
		bundleErr = f.Close()
	}
	return errors.Join(chromeErr, bundleErr)
}

// newSite starts a server. What it started is gone when the test ends, and the
// test fails when it is not.
func newSite(t *testing.T) *site {
	t.Helper()
	return serveSite(t, browsable())
}

// serveSite is newSite for who needs no browser; need says what else is missing.
func serveSite(t *testing.T, need error, args ...string) *site {
	t.Helper()
	return serveWithin(t, nil, need, args...)
}

// serveWithin is serveSite with a program, and its arguments, that executes the
// server; STATE among them is the state folder.
func serveWithin(t *testing.T, within []string, need error, args ...string) *site {
	t.Helper()
	exe, cache := programs(t, need)
	s := &site{t: t, exe: exe, state: t.TempDir(), cache: cache, addr: "127.0.0.1:0", args: args}
	for _, w := range within {
		s.within = append(s.within, strings.ReplaceAll(w, "STATE", s.state))
	}
	t.Cleanup(s.cleanUp)
	s.start()
	return s
}

// start runs the server and waits until it answers.
func (s *site) start() {
	s.t.Helper()
	s.out = &output{}
	line := append(append([]string{}, s.within...), s.exe, "--state", s.state, "--cache", s.cache, "serve", "--listen", s.addr)
	line = append(line, s.args...)
	s.cmd = exec.Command(line[0], line[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan error, 1)
	cmd := s.cmd
	go func() { ended <- cmd.Wait() }() // awaited by kill
	s.ended = ended
	where := regexp.MustCompile(`(?m)^(http://([^/\s]+))/`)
	deadline := time.Now().Add(30 * time.Second)
	for {
		if m := where.FindStringSubmatch(s.out.String()); m != nil {
			s.url, s.addr = m[1], m[2]
			if c, err := net.Dial("tcp", s.addr); err == nil {
				c.Close()
				return
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the server does not start:\n%s", s.out)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// kill ends the server with a signal, and waits.
func (s *site) kill(sig syscall.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		return
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Error(err)
	}
	if err := <-s.ended; err != nil && sig != syscall.SIGKILL {
		s.t.Errorf("the server ended with %v:\n%s", err, s.out)
	}
	s.cmd = nil
}

func (s *site) cleanUp() {
	if s.t.Failed() {
		s.t.Logf("what the server said:\n%s", s.out)
	}
	s.kill(syscall.SIGTERM)
	for _, dir := range racksIn(s.state) {
		if s.t.Failed() {
			if text, err := os.ReadFile(filepath.Join(dir, rack.LogFile)); err == nil {
				s.t.Logf("%s:\n%s", filepath.Base(dir), text)
			}
		}
		if out, err := exec.Command(s.exe, "--state", s.state, "stop", filepath.Base(dir)).CombinedOutput(); err != nil {
			s.t.Errorf("stopping a rack: %v\n%s", err, out)
		}
	}
	if left := processesOf(s.t, s.state); len(left) > 0 {
		s.t.Errorf("processes are left behind:\n%s", strings.Join(left, "\n"))
	}
}

func racksIn(state string) []string {
	all, _ := filepath.Glob(filepath.Join(state, "racks", "*", "rack.json")) // the pattern is in order
	for i := range all {
		all[i] = filepath.Dir(all[i])
	}
	return all
}

// processesOf lists what runs with a folder on its command line.
func processesOf(t *testing.T, folder string) []string {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, f := range all {
		text, err := os.ReadFile(f)
		if err == nil && bytes.Contains(text, []byte(folder)) {
			left = append(left, string(bytes.ReplaceAll(text, []byte{0}, []byte{' '})))
		}
	}
	return left
}

const e2ePassword = "correct horse battery"

// newcomer opens a one-time link and chooses a password, which logs in.
func (s *site) newcomer(link string) *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	resp, err := c.PostForm(link, url.Values{"password": {e2ePassword}, "again": {e2ePassword}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("choosing a password: %s\n%s", resp.Status, text)
	}
	return c
}

// api asks as whoever c is; out may be nil.
func (s *site) api(c *http.Client, method, path string, in, out any) {
	s.t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %v\n%s", method, path, resp.Status, err, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			s.t.Fatalf("%s %s: %v\n%s", method, path, err, answer)
		}
	}
}

// admin is the admin, by the link that the first start printed.
func (s *site) admin() *http.Client {
	s.t.Helper()
	link := regexp.MustCompile(`http://\S+/link/\S+`).FindString(s.out.String())
	if link == "" {
		s.t.Fatalf("the first start prints no link:\n%s", s.out)
	}
	return s.newcomer(link)
}

// student makes a course with labs and a student in it.
func (s *site) student(admin *http.Client, login string, labs ...string) *http.Client {
	s.t.Helper()
	var course struct {
		JoinCode string `json:"join_code"`
	}
	s.api(admin, "POST", "/api/v1/courses", map[string]any{"title": "Networks", "labs": labs}, &course)
	var user struct{ Link string }
	s.api(admin, "POST", "/api/v1/users", map[string]any{"login": login, "role": "student"}, &user)
	c := s.newcomer(user.Link)
	s.api(c, "POST", "/api/v1/join", map[string]any{"code": course.JoinCode}, nil)
	return c
}

// output is a bytes.Buffer for several goroutines.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}
