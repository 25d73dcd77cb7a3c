package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/patchbay/patchbay/labs"
	"github.com/patchbay/patchbay/labs/sqlite"
)

// database is where people, courses and racks are recorded.
func (f *Folders) database() string { return filepath.Join(f.State, "patchbay.db") }

// openDatabase opens the database, and makes the state folder for it.
func (f *Folders) openDatabase(ctx context.Context) (*sqlite.DB, error) {
	if err := os.MkdirAll(f.State, 0o700); err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	return sqlite.Open(ctx, f.database())
}

// userCmd works on the database itself, also while the server runs.
type userCmd struct {
	Add       userAddCmd     `cmd:"" help:"Add a user and print the link with which they choose a password."`
	ResetLink userResetCmd   `cmd:"" help:"Print a link with which a user chooses another password."`
	Disable   userDisableCmd `cmd:"" help:"Keep a user from logging in. What they did stays."`
	Enable    userEnableCmd  `cmd:"" help:"Let a disabled user log in again."`
	List      userListCmd    `cmd:"" help:"List the users."`
}

// linkFlags say how one-time links are to look.
type linkFlags struct {
	URL   string        `help:"Where browsers find the server." default:"http://localhost:8080" env:"PATCHBAY_URL"`
	Valid time.Duration `help:"How long the link can be used." default:"168h"`
}

// print makes a link for u and prints it; those from before no longer work.
func (l *linkFlags) print(ctx context.Context, db *sqlite.DB, u labs.User) error {
	link, secret, err := db.CreateLink(ctx, u.ID, l.Valid)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s/link/%s\n", strings.TrimRight(l.URL, "/"), secret)
	fmt.Fprintf(os.Stderr, "%s chooses a password there, once, until %s.\n", u.Login, link.ExpiresAt.Local().Format("2 January 2006 15:04"))
	return err
}

type userAddCmd struct {
	Login string    `arg:"" help:"What they type to log in."`
	Name  string    `help:"What they are called."`
	Email string    `help:"E-mail address."`
	Role  labs.Role `help:"admin, instructor or student." default:"student" enum:"admin,instructor,student"`
	linkFlags
}

func (c *userAddCmd) Run(ctx context.Context, f *Folders) (err error) {
	db, err := f.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	u := labs.User{Login: c.Login, Name: c.Name, Email: c.Email, Role: c.Role}
	if err := db.CreateUser(ctx, &u, ""); err != nil {
		return err
	}
	return c.print(ctx, db, u)
}

type userResetCmd struct {
	Login string `arg:"" help:"Whose password."`
	linkFlags
}

func (c *userResetCmd) Run(ctx context.Context, f *Folders) (err error) {
	db, err := f.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	u, _, err := db.UserByLogin(ctx, c.Login)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Login, err)
	}
	if u.Disabled {
		return fmt.Errorf("%s is disabled: run `patchbay user enable %s` first", u.Login, u.Login)
	}
	return c.print(ctx, db, u)
}

type userDisableCmd struct {
	Login string `arg:"" help:"Who."`
}

func (c *userDisableCmd) Run(ctx context.Context, f *Folders) error {
	return setDisabled(ctx, f, c.Login, true)
}

type userEnableCmd struct {
	Login string `arg:"" help:"Who."`
}

func (c *userEnableCmd) Run(ctx context.Context, f *Folders) error {
	return setDisabled(ctx, f, c.Login, false)
}

func setDisabled(ctx context.Context, f *Folders, login string, disabled bool) (err error) {
	db, err := f.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	u, _, err := db.UserByLogin(ctx, login)
	if err != nil {
		return fmt.Errorf("%s: %w", login, err)
	}
	u.Disabled = disabled
	return db.UpdateUser(ctx, &u)
}

type userListCmd struct{}

func (userListCmd) Run(ctx context.Context, f *Folders) (err error) {
	db, err := f.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer closeDB(db, &err)
	users, err := db.Users(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, u := range users {
		note := ""
		if u.Disabled {
			note = "disabled"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", u.Login, u.Role, u.Name, u.Email, note)
	}
	return w.Flush()
}

// closeDB closes db and reports its error where there is none yet.
func closeDB(db *sqlite.DB, err *error) {
	if e := db.Close(); e != nil && *err == nil {
		*err = e
	}
}
