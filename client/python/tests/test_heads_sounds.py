"""What `heads train` reads: folders and CSV files."""

import pytest

from hearwire.heads.errors import HeadError
from hearwire.heads.labelled_sounds import labels_of, read_sounds


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(sounds, folder):
    return [(str(sound.path.relative_to(folder)), sound.labels, sound.fold) for sound in sounds]


def test_a_folder_is_a_label(tmp_path):
    touch(
        tmp_path,
        "rain/b.FLAC",
        "rain/a.wav",
        "dog/more/c.ogg",
        "dog/z.mp3",
        "README.md",
        "rain/notes.txt",
        ".git/x.wav",
    )
    touch(tmp_path, "dog/.hidden.wav", "dog/.trash/d.wav")
    assert found(read_sounds(tmp_path, False), tmp_path) == [
        ("dog/more/c.ogg", ("dog",), None),
        ("dog/z.mp3", ("dog",), None),
        ("rain/a.wav", ("rain",), None),
        ("rain/b.FLAC", ("rain",), None),
    ]


def test_folders_without_sounds_and_sounds_without_folders_are_refused(tmp_path):
    with pytest.raises(HeadError, match="names no sounds"):
        read_sounds(tmp_path, False)
    touch(tmp_path, "rain/a.wav", "dog/readme.txt")
    with pytest.raises(HeadError, match="dog holds no sounds"):
        read_sounds(tmp_path, False)
    touch(tmp_path, "dog/b.wav", "stray.wav")
    with pytest.raises(HeadError, match="stray.wav"):
        read_sounds(tmp_path, False)
    with pytest.raises(HeadError, match="--multi-label reads a CSV file"):
        read_sounds(tmp_path, True)


def csv_of(tmp_path, text):
    touch(tmp_path, "a.wav", "b.wav", "in/c.wav")
    (tmp_path / "sounds.csv").write_text(text, encoding="utf-8")
    return tmp_path / "sounds.csv"


def test_paths_are_from_the_csv_files_folder(tmp_path):
    path = csv_of(tmp_path, f"\ufefflabel,path,who\ndog,a.wav,me\n rain , in/c.wav,me\ndog,{tmp_path}/b.wav,me\n")
    assert found(read_sounds(path, False), tmp_path) == [
        ("a.wav", ("dog",), None),
        ("in/c.wav", ("rain",), None),
        ("b.wav", ("dog",), None),
    ]


def test_folds_are_words(tmp_path):
    path = csv_of(tmp_path, "path,label,fold\na.wav,dog,1\nb.wav,rain,first\n")
    assert [sound.fold for sound in read_sounds(path, False)] == ["1", "first"]


def test_a_cell_holds_several_labels_or_none(tmp_path):
    path = csv_of(tmp_path, "path,label\na.wav,dog; rain\nb.wav,\nin/c.wav,rain\n")
    sounds = read_sounds(path, True)
    assert [sound.labels for sound in sounds] == [("dog", "rain"), (), ("rain",)]
    assert labels_of(sounds) == ("dog", "rain")


@pytest.mark.parametrize(
    ("text", "multi_label", "words"),
    [
        ("", False, "it names none"),
        ("file,label\na.wav,dog\n", False, "it names file, label"),
        ("path,label\n", False, "names no sounds"),
        ("path,label\na.wav\n", False, "line 2: the first line names 2 columns"),
        ("path,label\na.wav,dog,rain\n", False, "line 2: the first line names 2 columns"),
        ("path,label\na.wav,dog\n,dog\n", False, "line 3: the path is empty"),
        ("path,label\na.wav,\n", False, "line 2: the label is empty"),
        ("path,label\na.wav,dog;rain\n", False, "--multi-label"),
        ("path,label\na.wav,dog;;rain\n", True, "empty or stands there twice"),
        ("path,label\na.wav,dog;dog\n", True, "empty or stands there twice"),
        ("path,label,fold\na.wav,dog,\n", False, "line 2: the fold is empty"),
        ("path,label\na.wav,dog\na.wav,rain\n", False, "line 3: a.wav stands in line 2 already"),
        ("path,label\na.wav,dog\nd.wav,rain\n", False, "1 files that are not there: .*d.wav"),
        ('path,label\na.wav,"dog\n', False, "no CSV file"),
    ],
)
def test_what_is_wrong_in_a_csv_file_is_said_with_its_line(tmp_path, text, multi_label, words):
    with pytest.raises(HeadError, match=words):
        read_sounds(csv_of(tmp_path, text), multi_label)


def test_other_encodings_are_refused(tmp_path):
    path = csv_of(tmp_path, "")
    path.write_bytes("path,label\na.wav,Möwe\n".encode("latin-1"))
    with pytest.raises(HeadError, match="UTF-8"):
        read_sounds(path, False)


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OSError, match="none.csv"):
        read_sounds(tmp_path / "none.csv", False)
