"""`ccalign adapt_queries` as a script."""

from ccalign_jax.cli.main import run_command

if __name__ == "__main__":
    run_command("adapt_queries")
