"""`python -m chargeport`: the command line."""

from chargeport.cli.main import run

if __name__ == "__main__":
    run()
