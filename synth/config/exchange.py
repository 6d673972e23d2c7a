"""Exchanged parts: what a recipe says of a part goes with the part.

A recipe chooses parts and has numbers for them. Where the user chooses another part, the numbers
would be read by that one, for which they were not made (a rate, a deviation), and an ``override``
line about a part of the old one (``search/mate``) has nothing left to override, which Hydra takes
for a mistake. Both are left out here while Hydra composes, before what the user wrote is applied.

Hydra has no public place for this: its loader is replaced by one that differs in four methods.
Nor has it one for the mode, for which it composes everything once more; that is left out, too,
where nobody can have set one. Nor does it remember what it has read: where all files are ours,
which do not change while a process runs, a file is parsed once, and parts that were composed once
are copied, so that a point of a sweep, which differs from the others in numbers, is composed in a
fraction of the time. Before a sweep runs, Hydra composes all of its points, to find mistakes early;
here it composes one of those that differ in values alone. And the grammar of an interpolation,
whose parsing takes a tenth of the time of a point, is parsed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, ClassVar

from hydra._internal import config_loader_impl, config_repository, defaults_list
from hydra._internal import hydra as hydra_app
from hydra._internal.defaults_list import DefaultsList
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, OmegaConf, _utils, base, grammar_parser, open_dict

from synth.config.types import Config

# what all parts of a kind take alike, and thus stays: the size of the pictures, and whether they
# are scaled to what the network reads
COMMON = {"encoding": "size", "network": "fit"}
RECIPES = "recipe/"
OURS = {"hydra", "main", "schema"}  # providers of files, none of which sets hydra.mode


_conf: list[str] = []  # the folder of configurations to which all of this applies


def _is_ours(repository: Any) -> bool:
    """Whether configurations are read from the folder of this package, not of another program."""
    return any(
        str(source.path).removeprefix("file://") in _conf for source in repository.get_sources()
    )


def _is_ours_alone(repository: Any) -> bool:
    """Whether they are read from there and from nowhere else, but for Hydra's own."""
    providers = {source.provider for source in repository.get_sources()}
    return _is_ours(repository) and providers <= OURS


class _Repository(config_repository.CachingConfigRepository):
    """Hydra's files of one composition; ours are parsed once for all."""

    _parsed: ClassVar[dict[str, ConfigResult | None]] = {}

    def __init__(self, delegate: Any) -> None:
        if _is_ours_alone(delegate):  # whose sources stay as they are: no copy is needed
            self.delegate = delegate
            self.cache = {}
        else:
            super().__init__(delegate)

    def initialize_sources(self, config_search_path: Any) -> None:
        self.delegate = deepcopy(self.delegate)
        super().initialize_sources(config_search_path)

    def load_config(self, config_path: str) -> ConfigResult | None:
        if not _is_ours_alone(self):
            return super().load_config(config_path)
        if config_path not in self.cache:
            if config_path not in self._parsed:
                self._parsed[config_path] = self.delegate.load_config(config_path)
            self.cache[config_path] = deepcopy(self._parsed[config_path])  # nodes are moved
        return self.cache[config_path]


class _Overrides(defaults_list.Overrides):
    """Hydra's record of chosen options; a recipe may speak of a part that the user exchanged."""

    def __init__(self, repo: Any, overrides_list: list[Override]) -> None:
        super().__init__(repo=repo, overrides_list=overrides_list)
        self._is_ours = _is_ours(repo)

    def ensure_overrides_used(self) -> None:
        if not self._is_ours:
            return super().ensure_overrides_used()
        exchanged = [
            _package(key) for key, meta in self.override_metadata.items() if meta.external_override
        ]
        for key, meta in self.override_metadata.items():
            if not meta.external_override and _is_inside(_package(key), exchanged):
                meta.used = True
        super().ensure_overrides_used()


_defaults: dict[tuple[object, ...], DefaultsList] = {}  # by what is chosen


def _defaults_list(
    repo: Any,
    config_name: str | None,
    overrides_list: list[Override],
    prepend_hydra: bool,
    skip_missing: bool,
) -> DefaultsList:
    """Hydra's ``create_defaults_list``, once for all commands that choose the same options."""
    create = defaults_list.create_defaults_list
    if not _is_ours_alone(repo):
        return create(repo, config_name, overrides_list, prepend_hydra, skip_missing)
    numbers = defaults_list.Overrides(repo, overrides_list).config_overrides
    chosen = [override.input_line for override in overrides_list if override not in numbers]
    key = config_name, *chosen, prepend_hydra, skip_missing
    if key not in _defaults:
        _defaults[key] = create(repo, config_name, overrides_list, prepend_hydra, skip_missing)
    return replace(_defaults[key], config_overrides=numbers)


class _Loader(config_loader_impl.ConfigLoaderImpl):
    """Hydra's loader of configurations; recipes are loaded without numbers of exchanged parts."""

    _own: Callable[[], dict[str, str]]  # the option of each package, as the recipes choose them
    _chosen: dict[str, str]  # with what the user chose
    _recipes: list[str | None]  # the words that choose recipes
    _composed: ClassVar[dict[str, Config]] = {}  # by the files and the recipes

    def __getstate__(self) -> dict[str, Any]:
        """What a launcher sends to its workers."""
        return {name: value for name, value in vars(self).items() if name != "_own"}

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], Any]:
        parsed, repo = super()._parse_overrides_and_create_caching_repo(config_name, overrides)
        if not _is_ours(repo):
            return parsed, repo
        groups = [override for override in parsed if repo.group_exists(override.key_or_group)]
        recipes = [override for override in groups if override.key_or_group == "recipe"]

        @cache  # only where a recipe is read: it takes half as long as composing
        def own() -> dict[str, str]:
            chosen = _defaults_list(repo, config_name, recipes, True, True)
            return _options(chosen.defaults)

        self._own = dict if recipes == groups else own
        self._recipes = [override.input_line for override in recipes]
        return parsed, repo

    def _compose_config_from_defaults_list(
        self, defaults: list[ResultDefault], repo: Any
    ) -> Config:
        self._chosen = _options(defaults)
        if not _is_ours_alone(repo):
            return super()._compose_config_from_defaults_list(defaults, repo)
        key = f"{defaults} {self._recipes}"
        if key not in self._composed:
            self._composed[key] = super()._compose_config_from_defaults_list(defaults, repo)
        return deepcopy(self._composed[key])

    def _load_single_config(self, default: ResultDefault, repo: Any) -> ConfigResult:
        result = super()._load_single_config(default, repo)
        recipe = str(default.config_path).startswith(RECIPES) and _is_ours(repo)
        if recipe and isinstance(result.config, DictConfig):
            for package, option in self._own().items():
                if self._chosen.get(package) != option:
                    common = COMMON.get(option.partition("/")[0])
                    result = copy(result)  # the loaded one is used again
                    result.config = _without(result.config, package, common)
        return result


outcomes: list[Any] = []  # of the points of a sweep, which a launcher runs in any process


class _Hydra(hydra_app.Hydra):
    """Hydra, which composes for its mode only where the user's words or files may set one."""

    def get_mode(self, config_name: str | None, overrides: list[str]) -> Any:
        if _is_ours_alone(self.config_loader) and not any("hydra" in word for word in overrides):
            return None
        return super().get_mode(config_name, overrides)

    def multirun(self, *args: Any, **settings: Any) -> Any:
        batches = super().multirun(*args, **settings)
        outcomes.extend(job.return_value for jobs in batches or () for job in jobs)
        return batches


def _check_batch(sweeper: Any, batch: Sequence[Sequence[str]]) -> None:
    """Hydra's ``validate_batch_is_legal``: composes one of the points that differ in values."""
    loader = sweeper.hydra_context.config_loader
    if _is_ours_alone(loader):
        batch = list({_form(words, loader.repository): words for words in batch}.values())
    _validate_batch(sweeper, batch)


def _form(words: Sequence[str], repository: Any) -> tuple[str, ...]:
    """What decides whether words can be composed: options whole, of other words the key."""
    keys = [word.partition("=")[0] for word in words]
    is_option = [repository.group_exists(key.lstrip("+~").partition("@")[0]) for key in keys]
    return tuple(
        word if whole else key for word, key, whole in zip(words, keys, is_option, strict=True)
    )


_validate_batch = Sweeper.validate_batch_is_legal


def install(conf: Path) -> None:
    """From here on Hydra composes what is in the folder `conf` with the loader of this module."""
    _conf.append(str(conf))
    defaults_list.Overrides = _Overrides  # type: ignore[misc]
    config_loader_impl.CachingConfigRepository = _Repository  # type: ignore[misc]
    config_loader_impl.create_defaults_list = _defaults_list
    hydra_app.ConfigLoaderImpl = _Loader  # type: ignore[misc]
    hydra_app.Hydra = _Hydra  # type: ignore[misc]
    Sweeper.validate_batch_is_legal = _check_batch  # type: ignore[method-assign]
    base.parse = _utils.parse = lru_cache(1024)(grammar_parser.parse)


def _options(defaults: Sequence[ResultDefault]) -> dict[str, str]:
    """The option of every part by its package, ``experiments.cma.search``: ``search/cma``."""
    options = {str(default.package): str(default.config_path) for default in defaults}
    return {package: option for package, option in options.items() if _is_part(option)}


def _is_part(option: str) -> bool:
    return "/" in option and not option.startswith((RECIPES, "hydra/"))


def _package(key: str) -> str:
    """Where the part of an override stands: ``search.mate`` of ``search/mate``."""
    group, _, package = key.partition("@")
    return package or group.replace("/", ".")


def _is_inside(package: str, others: Sequence[str]) -> bool:
    return any(package.startswith(f"{other}.") for other in others)


def _without(config: Config, package: str, common: str | None) -> Config:
    """`config` without what stands under `package`, but for the key `common`."""
    if not isinstance(OmegaConf.select(config, package), DictConfig):
        return config
    config = OmegaConf.create(config)  # a copy; the loaded one is used again
    part = OmegaConf.select(config, package)
    with open_dict(config):
        for key in [key for key in part if key != common]:
            del part[key]
    return config
