package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/rack"
)

// benchServer is a patchbay serve of the benchmark's own, a process beside it.
type benchServer struct {
	url   string
	cmd   *exec.Cmd
	log   *logTail
	ended chan struct{} // closed when it has ended, with err
	err   error
}

var whereRE = regexp.MustCompile(`^(http://\S+?)/$`)

// startBenchServer returns when the server answers. It ends with this process,
// however that ends, and has time to remove the racks that grade.
func startBenchServer(ctx context.Context, f *Folders, graders int) (*benchServer, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "--state", f.State, "--cache", f.Cache, "serve", "--listen", "127.0.0.1:0",
		"--labs", benchShelf(f), "--graders", fmt.Sprint(graders))
	for _, e := range os.Environ() { // a person's settings of another server are not for this one
		if !strings.HasPrefix(e, "PATCHBAY_") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	s := &benchServer{cmd: cmd, log: &logTail{}, ended: make(chan struct{})}
	cmd.Stderr = s.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	where := make(chan string, 1)
	started := make(chan error, 1)
	go func() {
		defer close(s.ended)
		runtime.LockOSThread() // its death would be the parent's, see startHelper
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if m := whereRE.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case where <- m[1]:
				default:
				}
			}
		}
		s.err = cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting a server: %w", err)
	}
	select {
	case s.url = <-where:
		return s, s.answers(ctx)
	case <-s.ended:
		return nil, fmt.Errorf("the server ended: %w\n%s", s.err, s.log)
	case <-time.After(time.Minute):
		err = errors.New("the server does not start")
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(err, s.close())
}

// answers waits for the first answer.
func (s *benchServer) answers(ctx context.Context) error {
	for {
		resp, err := http.Get(s.url + "/healthz")
		if err == nil {
			return resp.Body.Close()
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return errors.Join(err, s.close())
		}
	}
}

// close ends the server, which first removes the racks that grade.
func (s *benchServer) close() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-s.ended:
	case <-time.After(2 * time.Minute):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	if s.err != nil {
		return fmt.Errorf("the server ended with %w\n%s", s.err, s.log)
	}
	return nil
}

// ask sends a request to the API, as whom the token is of.
func (s *benchServer) ask(ctx context.Context, token, method, path string, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, body)
	}
	return json.Unmarshal(body, answer)
}

// stream opens the stream of a rack as a browser does.
func (s *benchServer) stream(ctx context.Context, token, id string) (*rack.Stream, error) {
	session := rand.Text()
	ws, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(s.url, "http")+"/api/v1/racks/"+id+"/stream?session="+session,
		http.Header{"Authorization": {"Bearer " + token}})
	if resp != nil && resp.Body != nil {
		defer resp.Body.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("opening a stream through the server: %w", err)
	}
	return rack.NewStream(ws, session), nil
}

// token makes an API token.
func (c *benchClass) token(ctx context.Context, user int64) (string, error) {
	_, secret, err := c.db.CreateToken(ctx, user, "benchmark", time.Time{})
	return "pb_" + secret, err
}

// regrading has a server grade all submissions of a class again, and counts.
type regrading struct {
	class  *benchClass
	server *benchServer
	lab    *labs.Lab

	took                   time.Duration
	passed, failed, errors int // submissions
}

func (r *regrading) graded() int { return r.passed + r.failed + r.errors }

// run grades again, once, and once more for as long as enough is not closed.
func (r *regrading) run(ctx context.Context, enough <-chan struct{}) error {
	token, err := r.class.token(ctx, r.class.teacher.ID)
	if err != nil {
		return err
	}
	for {
		if err := r.round(ctx, token); err != nil {
			return err
		}
		select {
		case <-enough:
			return nil
		case <-r.server.ended:
			return errors.New("the server has ended")
		default:
		}
	}
}

func (r *regrading) round(ctx context.Context, token string) error {
	began := time.Now()
	var answer struct{ Queued int }
	if err := r.server.ask(ctx, token, "POST", fmt.Sprintf("/api/v1/assignments/%d/regrade", r.class.assignment.ID), &answer); err != nil {
		return err
	}
	if want := len(r.class.students); answer.Queued != want {
		return fmt.Errorf("%d submissions are graded again, not %d", answer.Queued, want)
	}
	if err := r.class.untilGraded(ctx, answer.Queued); err != nil {
		return errors.Join(err, errors.New(r.server.log.String()))
	}
	r.took += time.Since(began)
	return r.count(ctx, began)
}

// count looks at what the fresh boots' checks found. Each has to be newer than
// began, and to have asked all of them.
func (r *regrading) count(ctx context.Context, began time.Time) error {
	all, err := r.class.db.Submissions(ctx, r.class.assignment.ID)
	if err != nil {
		return err
	}
	folders := map[string]bool{}
	for i := range all {
		_, fresh, err := r.class.db.Reports(ctx, all[i].ID)
		if err != nil {
			return err
		}
		if fresh == nil || fresh.Started.Before(began) || len(fresh.Results) != len(r.lab.Checks) || folders[all[i].Folder] {
			return fmt.Errorf("submission %d was not checked again on a fresh boot of disks of its own", all[i].ID)
		}
		folders[all[i].Folder] = true
		switch {
		case fresh.Errors > 0:
			r.errors++
			progressf("submission %d: %s", all[i].ID, unpassed(fresh))
		case fresh.Passed():
			r.passed++
		default:
			r.failed++
			progressf("submission %d: %s", all[i].ID, unpassed(fresh))
		}
	}
	return nil
}

// logTail keeps the last of what a program wrote. Safe for concurrent use.
type logTail struct {
	mu   sync.Mutex
	last []byte // guarded by mu
}

func (l *logTail) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, b...)
	if over := len(l.last) - 16<<10; over > 0 {
		l.last = bytes.Clone(l.last[over:])
	}
	return len(b), nil
}

func (l *logTail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.last)
}
