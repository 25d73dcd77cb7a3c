package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/sqlite"
	"github.com/patchbay/patchbay/migrations"
)

// TestMain lets the test binary be the process that TestKilled kills, and one
// of those of TestOpenAtOnce.
func TestMain(m *testing.M) {
	if path := os.Getenv("PATCHBAY_TEST_OPENER"); path != "" {
		db, err := sqlite.Open(context.Background(), path)
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if path := os.Getenv("PATCHBAY_TEST_WRITER"); path != "" {
		if err := writeForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func open(tb testing.TB, path string) *sqlite.DB {
	tb.Helper()
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

func openNew(tb testing.TB) *sqlite.DB {
	tb.Helper()
	return open(tb, filepath.Join(tb.TempDir(), "test.db"))
}

func mustUser(tb testing.TB, db *sqlite.DB, login string, role labs.Role) labs.User {
	tb.Helper()
	u := labs.User{Login: login, Role: role}
	if err := db.CreateUser(context.Background(), &u, "hash of "+login); err != nil {
		tb.Fatal(err)
	}
	return u
}

// wantCode fails the test unless err has the code; "" means no error.
func wantCode(tb testing.TB, err error, code labs.Code) {
	tb.Helper()
	if got := labs.CodeOf(err); got != code {
		tb.Errorf("error %v has code %q; want %q", err, got, code)
	}
}

// raw opens the file beside the package, to look at what it did.
func raw(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	return db
}

func ask(tb testing.TB, db *sql.DB, query string) string {
	tb.Helper()
	var s string
	if err := db.QueryRow(query).Scan(&s); err != nil {
		tb.Fatal(query, err)
	}
	return s
}

func TestOpen(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "a b%#?.db") // a name that an URI could stumble over
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	mustUser(t, db, "anna", labs.Admin)
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v; want 0600", name, info.Mode())
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close the log is still there: %v", err)
	}

	again := open(t, path)
	if u, _, err := again.UserByLogin(ctx, "anna"); err != nil || u.Role != labs.Admin {
		t.Errorf("after opening again: %+v, %v", u, err)
	}
}

// TestOpenAtOnce: of several processes that meet a new database, one makes its
// tables and the others find them made.
func TestOpenAtOnce(t *testing.T) {
	for range 3 {
		path := filepath.Join(t.TempDir(), "test.db")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), "PATCHBAY_TEST_OPENER="+path)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("opening: %v\n%s", err, out)
				}
			})
		}
		wg.Wait()
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{garbage, dir, filepath.Join(dir, "no", "such", "folder")} {
		if db, err := sqlite.Open(context.Background(), path); err == nil {
			db.Close()
			t.Errorf("Open(%s) succeeded", path)
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%s): the error does not name the file: %v", path, err)
		}
	}
}

func TestMigrations(t *testing.T) {
	entries, err := fs.ReadDir(migrations.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^(\d{5})_[a-z0-9_]+\.sql$`)
	for i, e := range entries {
		m := name.FindStringSubmatch(e.Name())
		if m == nil {
			t.Fatalf("%s is not named NNNNN_what.sql", e.Name())
		}
		if n, _ := strconv.Atoi(m[1]); n != i+1 {
			t.Errorf("%s is number %d of the migrations", e.Name(), i+1)
		}
		data, err := fs.ReadFile(migrations.FS, e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "NO TRANSACTION") {
			t.Errorf("%s does not run in a transaction", e.Name())
		}
	}

	path := filepath.Join(t.TempDir(), "test.db")
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r := raw(t, path)
	if got, want := ask(t, r, "SELECT max(version_id) FROM goose_db_version"), strconv.Itoa(len(entries)); got != want {
		t.Errorf("a new database has version %s; want %s", got, want)
	}
	if got := ask(t, r, "PRAGMA journal_mode"); got != "wal" {
		t.Errorf("journal_mode is %s; want wal", got)
	}
	// STRICT tables refuse what has the wrong type, instead of keeping it.
	if got := ask(t, r, `SELECT coalesce(group_concat(name), '') FROM pragma_table_list
		WHERE type = 'table' AND NOT strict AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'goose_%'`); got != "" {
		t.Errorf("tables that are not STRICT: %s", got)
	}
}

// TestConcurrency has many writers and readers at once, half of them through
// a second DB on the same file, as another process would have.
func TestConcurrency(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "test.db")
	dbs := []*sqlite.DB{open(t, path), open(t, path)}
	const writers, each = 100, 10
	admin := mustUser(t, dbs[0], "admin", labs.Admin)
	course, err := dbs[0].CreateCourse(ctx, "Networks", admin.ID)
	if err != nil {
		t.Fatal(err)
	}

	var wg sync.WaitGroup
	readCtx, stopReading := context.WithCancel(ctx)
	for i := range 8 {
		db := dbs[i%2]
		wg.Go(func() {
			last := 0
			for readCtx.Err() == nil {
				members, err := db.Members(ctx, course.ID)
				if err != nil {
					t.Errorf("reading: %v", err)
					return
				}
				if len(members) < last {
					t.Errorf("%d members after %d", len(members), last)
				}
				last = len(members)
			}
		})
	}
	var writing sync.WaitGroup
	for i := range writers {
		db := dbs[i%2]
		writing.Go(func() {
			u := labs.User{Login: fmt.Sprintf("student%d", i), Role: labs.Student}
			if _, err := db.Register(ctx, &u, "", course.JoinCode); err != nil {
				t.Errorf("registering: %v", err)
				return
			}
			for j := range each {
				if err := db.Sessions().CommitCtx(ctx, fmt.Sprintf("%d-%d", i, j), []byte("x"), u.CreatedAt.AddDate(1, 0, 0)); err != nil {
					t.Errorf("writing: %v", err)
				}
			}
			if _, _, err := db.EnsureRack(ctx, labs.RackFor{UserID: u.ID, LabSlug: "two-hosts"}, "digest"); err != nil {
				t.Errorf("recording rack: %v", err)
			}
		})
	}
	writing.Wait()
	stopReading()
	wg.Wait()

	members, err := dbs[0].Members(ctx, course.ID)
	if err != nil || len(members) != writers+1 {
		t.Errorf("%d members, %v; want %d", len(members), err, writers+1)
	}
	sessions, err := dbs[1].Sessions().AllCtx(ctx)
	if err != nil || len(sessions) != writers*each {
		t.Errorf("%d sessions, %v; want %d", len(sessions), err, writers*each)
	}
}

// TestCancelled: who gives up waiting does not hold up the others.
func TestCancelled(t *testing.T) {
	db := openNew(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	u := labs.User{Login: "anna", Role: labs.Student}
	if err := db.CreateUser(ctx, &u, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("CreateUser with a cancelled context: %v", err)
	}
	mustUser(t, db, "anna", labs.Student)
}

// writeForever adds users and says the login of each once it is stored.
func writeForever(path string) error {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		u := labs.User{Login: fmt.Sprintf("u%d", i), Role: labs.Student}
		if err := db.CreateUser(ctx, &u, ""); err != nil {
			return err
		}
		fmt.Println(u.Login)
	}
}

// TestKilled kills a process in the midst of writing: all that it said it had
// stored is there, and the file is sound.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PATCHBAY_TEST_WRITER="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := 0
	for lines := bufio.NewScanner(out); lines.Scan(); said++ {
		if said == 200 {
			if err := cmd.Process.Kill(); err != nil { // and read what is still in the pipe
				t.Fatal(err)
			}
		}
	}
	cmd.Wait() // killed
	if said < 200 {
		t.Fatalf("the writer stopped after %d", said)
	}

	db := open(t, path)
	if n, err := db.CountUsers(context.Background()); err != nil || n < said {
		t.Errorf("%d users, %v; the writer had said %d", n, err, said)
	}
	r := raw(t, path)
	if got := ask(t, r, "PRAGMA integrity_check"); got != "ok" {
		t.Errorf("integrity_check: %s", got)
	}
}
