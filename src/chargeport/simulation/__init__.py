"""Control of simulated cars, their clock and faults on demand, for routes, commands, scenarios and tests."""
