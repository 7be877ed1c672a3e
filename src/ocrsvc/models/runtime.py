"""Creates sessions of ONNX Runtime.

All workers share one session, and each runs it with one thread: N concurrent runs scale better than one run with N
threads (onnxruntime #22967, #16304), and a pool of one thread never spins.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import onnxruntime as ort

from ocrsvc.errors import CorruptModel, UnusableProvider
from ocrsvc.models.manifest import ModelFile
from ocrsvc.models.providers import CPU
from ocrsvc.models.run_watch import RunWatch, WatchedSession


def open_session(
    file: ModelFile,
    *,
    arena: bool = True,
    threads: int = 1,
    providers: Sequence[str] = (CPU,),
    watch: RunWatch | None = None,
) -> ort.InferenceSession:
    """Return a session of the verified file with one thread per run and bounded memory over many shapes.

    ``providers`` are ONNX Runtime's names, in order. If they cannot start, for lack of a device or a library, the CPU
    replaces them if it is among them; else UnusableProvider is raised. CorruptModel if the file cannot be loaded.

    With more ``threads``, each run uses the caller's thread and a pool of ``threads - 1`` that all runs share. With a
    ``watch`` the session is a WatchedSession, whose runs can be ended if they take too long.

    The arena is on: our shapes are few and bounded, so it stops growing, whereas large buffers that return to glibc
    after each run fragment the heap (measured: docs/decisions/0007). Memory patterns would keep a plan per shape.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_mem_pattern = False
    options.enable_cpu_mem_arena = arena
    if arena and list(providers) == [CPU] and _share_arena():
        options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # LSTM states and activations decay into denormals, which are many times slower (onnxruntime #13968).
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    try:
        session = ort.InferenceSession(file.read(), options, providers=list(providers), enable_fallback=0)
    except CorruptModel:
        raise
    except Exception as error:  # ONNX Runtime's exceptions have no common base class
        if len(providers) > 1 and CPU in providers:
            return open_session(file, arena=arena, threads=threads, watch=watch)
        raise CorruptModel(f"ONNX Runtime cannot load {file.path or 'the model'}: {error}") from error
    if CPU not in providers and not set(providers) & set(session.get_providers()):
        raise UnusableProvider(f"{' and '.join(providers)} did not start; the CPU may stand in with `,cpu`.")
    return WatchedSession(session, watch) if watch else session


@functools.cache
def _share_arena() -> bool:
    """Register one arena for all sessions of this process, once; return whether that worked.

    The detector and the recognisers run alternately on the same workers, so memory freed by one is reused by the other.
    """
    place = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    try:
        ort.create_and_register_allocator(place, ort.OrtArenaCfg({}))
    except Exception:  # a program that embeds us has registered its own
        return False
    return True
