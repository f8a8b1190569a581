"""The way of a message through the house: what joins sources, meaning and the store. Decides no meaning of its own."""
