"""The claims of the lectures, each with its command and a criterion set beforehand."""
